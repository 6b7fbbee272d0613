// What a file is, whatever its path says: device, inode, and time of birth.

import { builtin } from "./node-builtins.ts";
import { system } from "./this-system.ts";

/** The time of birth is in milliseconds, and 0 where the file system keeps none. */
export type FileIdentity = readonly [dev: number, ino: number, birth: number];

type Stats = import("node:fs").Stats;

export function identityOf({ dev, ino, birthtimeMs }: Stats): FileIdentity {
  return [dev, ino, birthtimeMs];
}

/** Returns what tells a file from all others that are there now, as `device:inode`. */
export function inodeOf({ dev, ino }: Pick<Stats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** Returns what tells whether a file has changed since it was looked at. */
export function lookOf({ ino, size, mtimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}

export function isFileIdentity(value: unknown): value is FileIdentity {
  return Array.isArray(value) && value.length === 3 && value.every((part) => Number.isFinite(part));
}

/**
 * Reports whether this is the file of an identity.
 *
 * @param stats of what is there now
 * @param path where that can be reached
 * @param sameDevices whether devices have the same numbers as when the identity
 *   was taken; they are given out anew with each start of the system and each mount
 */
export function isSameFile(
  stats: Stats,
  path: string | Buffer,
  [dev, ino, birth]: FileIdentity,
  sameDevices: boolean,
): boolean {
  if (stats.ino !== ino) return false;
  if (stats.dev !== dev && (sameDevices || birth <= 0)) return false;
  if (!system.givesInodesAgain) return true;
  return stats.birthtimeMs === birth || (birth > 0 && isCopiedUp(stats, path, birth));
}

/**
 * Reports whether a file is the copy that overlayfs makes of a file of a lower
 * layer when it is first written to: it keeps its inode, and is born anew. A
 * number that is in use below is given to no new file. It was below if it can be
 * seen there, or if it is older than the upper layer, whose root a container's
 * root is. Source: the kernel's Documentation/filesystems/overlayfs.rst.
 */
function isCopiedUp(stats: Stats, path: string | Buffer, birth: number): boolean {
  const { dirname, join, relative } = builtin("path");
  const directory = dirname(path.toString());
  if (stats.birthtimeMs <= birth || !system.isOverlay(directory)) return false;
  const device = `${Math.floor(stats.dev / 256) & 0xfff}:${stats.dev & 0xff}`;
  const mount = system.mounts()?.find((each) => each.device === device);
  if (mount === undefined) return false;
  const root = statOf(mount.point);
  if (root === undefined || root.dev !== stats.dev) return false;
  const { realpathSync } = builtin("fs");
  const below = join(relative(mount.point, realpathSync(directory)), builtin("path").basename(path.toString()));
  const isBelow = (layer: string) => {
    const lower = statOf(join(layer, below));
    return lower !== undefined && lower.ino === stats.ino && lower.birthtimeMs === birth;
  };
  return (
    birth < root.birthtimeMs || (/(?:^|,)lowerdir=([^,]*)/.exec(mount.options)?.[1] ?? "").split(":").some(isBelow)
  );
}

function statOf(path: string): Stats | undefined {
  try {
    return builtin("fs").lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // nobody else may look there
  }
}
