// What kind of file system a path is on: whether this system alone uses it, and
// whether files change their look when they are written to.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";

const OVERLAY = 0x794c7630;

/** ext2 to 4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS. Source: statfs(2). */
const LOCAL_ON_LINUX = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, OVERLAY, 0xf2f52010, 0x2fc12fc1]);

/** HFS+, APFS. Source: macOS' mount_hfs, mount_apfs. Untested here. */
const LOCAL_ON_MACOS = new Set([0x11, 0x17, 0x1a]);

/**
 * Reports whether only this system mounts the file system of a path: its times
 * are of this system's clock, and its kernel locks reach all who use it. What is
 * not known is not local.
 */
export function isLocal(path: string): boolean {
  const type = typeOf(path);
  if (process.platform === "win32") return !path.startsWith("\\\\"); // Untested here.
  return type !== undefined && (process.platform === "darwin" ? LOCAL_ON_MACOS : LOCAL_ON_LINUX).has(type);
}

/** Reports whether a path is on overlayfs, where a file of a lower layer is copied when it is first written to. */
export function isOverlay(path: string): boolean {
  return process.platform === "linux" && typeOf(path) === OVERLAY;
}

function typeOf(path: string): number | undefined {
  try {
    return builtin("fs").statfsSync(path).type;
  } catch {
    return undefined;
  }
}

/** A line of the table of mounts. */
export interface Mount {
  /** The device, as `major:minor`. */
  readonly device: string;
  /** Which directory of its file system is there. */
  readonly root: string;
  /** Where it is, as this process sees it. */
  readonly point: string;
  /** The kind of its file system: `ext4`, `proc`. */
  readonly type: string;
  /** The options of its file system. */
  readonly options: string;
}

/**
 * Returns the table of mounts; empty on systems without one, and `undefined` where
 * it cannot be read. Source: proc_pid_mountinfo(5).
 */
export function mounts(): Mount[] | undefined {
  if (process.platform !== "linux") return [];
  let table: string;
  try {
    table = builtin("fs").readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return undefined;
  }
  return table.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const [, , device, root, point] = fields;
    if (device === undefined || root === undefined || point === undefined) return [];
    const [type = "", , options = ""] = fields.slice(fields.indexOf("-") + 1);
    return [{ device, root, point: unescape(point), type, options: unescape(options) }];
  });
}

/** Returns a path of the table as it is: a space is written as \\040. */
function unescape(point: string): string {
  return point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
