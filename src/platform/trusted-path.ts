// Whether only this user, and root, decide what is at a path: orders are taken,
// and code is run, from no other place.

import { builtin } from "./node-builtins.ts";
import { contentOf } from "./process-identity.ts";
import { process } from "./process.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");

/**
 * Returns why another user could put something else at a path, or change what is
 * in it, or `undefined`. The path is looked at as it is written, and as it really
 * is: each directory on the way, and each link. Windows has access lists; untested
 * here.
 *
 * @param options `isSticky`: whether others may make entries of their own in it;
 *   `ownLinks`: whether links of this user's are followed, as root's are
 * @throws the system's error where the path does not exist
 */
export function whyReplaceable(path: string, options: TrustOptions = {}): string | undefined {
  if (process.platform === "win32") return undefined;
  const real = fs.realpathSync(path);
  return whyNotOnTheWay(path, options) ?? (real === path ? undefined : whyNotOnTheWay(real, options));
}

interface TrustOptions {
  isSticky?: boolean;
  ownLinks?: boolean;
}

function whyNotOnTheWay(path: string, { isSticky = false, ownLinks = true }: TrustOptions): string | undefined {
  const { dirname } = builtin("path");
  const me = process.geteuid?.();
  for (let at = path; ; at = dirname(at)) {
    const stats = fs.lstatSync(at);
    // A link by the system itself (/var/run, /tmp on macOS) leads where the system wants.
    if (stats.uid !== me && stats.uid !== 0) return `${at} belongs to another user (uid ${stats.uid})`;
    if (stats.isSymbolicLink() && stats.uid !== 0 && !ownLinks) return `${at} is a symbolic link`;
    if (!stats.isSymbolicLink() && ((at === path && !isSticky) || (stats.mode & STICKY) === 0)) {
      if ((stats.mode & 0o002) !== 0) return `anybody can replace what is in ${at} (mode ${modeOf(stats)})`;
      if ((stats.mode & 0o020) !== 0 && !isPrivate(stats.gid)) {
        return `its group (gid ${stats.gid}) can replace what is in ${at} (mode ${modeOf(stats)})`;
      }
    }
    if (at === dirname(at)) return undefined;
  }
}

/** In such a directory an entry can be replaced by its owner alone. */
const STICKY = 0o1000;

/** Returns a mode as people write it. */
export function modeOf({ mode }: Pick<Stats, "mode">): string {
  return `0${(mode & 0o7777).toString(8)}`;
}

/**
 * Reports whether a group has this user alone in it, as many systems give each user
 * one: it has the user's number, and no other members. Root's is trusted as root is.
 */
function isPrivate(gid: number): boolean {
  if (gid === 0) return true;
  if (gid !== process.geteuid?.() || gid !== process.getegid?.()) return false;
  const members = new RegExp(`^[^:]*:[^:]*:${gid}:(.*)$`, "m").exec(contentOf("/etc/group") ?? "")?.[1];
  return members !== undefined && members.split(",").every((name) => name === "" || name === userName());
}

function userName(): string {
  try {
    return builtin("os").userInfo().username;
  } catch {
    return ""; // a user without an account
  }
}
