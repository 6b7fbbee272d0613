// What kind of file system a path is on: whether this system alone uses it.

import { builtin } from "./node-builtins.ts";

/** ext2 to 4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS. Source: statfs(2). */
const LOCAL_ON_LINUX = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1]);

/**
 * Reports whether only this system mounts the file system of a path: its times
 * are of this system's clock, and its kernel locks reach all who use it. What is
 * not known is not local.
 */
export function isLocal(path: string): boolean {
  try {
    return process.platform === "linux" && LOCAL_ON_LINUX.has(builtin("fs").statfsSync(path).type);
  } catch {
    return false;
  }
}
