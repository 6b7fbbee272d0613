// Whether only this user, and root, decide what is at a path: orders are taken,
// and code is run, from no other place.

import { builtin } from "./node-builtins.ts";
import { contentOf } from "./file-content.ts";
import { SYSTEM_PATH } from "./system-programs.ts";
import { process } from "./process.ts";
import { system } from "./this-system.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");

/**
 * Returns why another user could put something else at a path, or change what is
 * in it, or `undefined`. Looked at is all that the system goes through on its way:
 * each directory and each link, wherever that one leads. Where files have no owners,
 * on Windows, all is trusted that the program's own files are: `System.whyOpenToOthers`
 * is for directories of this package's own.
 *
 * @param options `isSticky`: whether others may make entries of their own in it;
 *   `ownLinks`: whether links of this user's are followed, as root's are
 * @throws the system's error where the path does not exist
 */
export function whyReplaceable(path: string, options: TrustOptions = {}): string | undefined {
  if (!system.filesHaveOwners) return undefined;
  const { isSticky = false, ownLinks = true } = options;
  for (const { at, stats, isLast } of wayTo(path)) {
    const why = whyNotTrusted(at, stats, ownLinks, isLast && !isSticky);
    if (why !== undefined) return why;
  }
  return undefined;
}

interface TrustOptions {
  isSticky?: boolean;
  ownLinks?: boolean;
}

interface Step {
  readonly at: string;
  readonly stats: Stats;
  /** Whether the way ends here. */
  readonly isLast: boolean;
}

/** The system follows no more links than that. Source: path_resolution(7). */
const MOST_LINKS = 40;

/** Goes as the system does to what a path leads to, through one directory or link after the other. */
function* wayTo(path: string): Generator<Step> {
  const { dirname, isAbsolute, join, parse, resolve } = builtin("path");
  const namesOf = (text: string) => text.split("/").filter((name) => name !== "" && name !== ".");
  const { root } = parse(resolve(path));
  let at = root;
  let names = namesOf(isAbsolute(path) ? path : join(process.cwd(), path));
  yield { at, stats: fs.lstatSync(at), isLast: names.length === 0 };
  for (let links = 0; names.length > 0;) {
    const [name = "", ...rest] = names;
    names = rest;
    if (name === "..") {
      at = dirname(at); // links that led here are behind us: this is the real parent
      continue;
    }
    const next = join(at, name);
    const stats = fs.lstatSync(next);
    yield { at: next, stats, isLast: names.length === 0 && !stats.isSymbolicLink() };
    if (!stats.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) fs.statSync(path); // throws ELOOP
    const target = fs.readlinkSync(next);
    if (isAbsolute(target)) at = root;
    names = [...namesOf(target), ...names];
  }
}

/** @param isWhole whether nobody else may make an entry of his own in it either */
function whyNotTrusted(at: string, stats: Stats, ownLinks: boolean, isWhole: boolean): string | undefined {
  // A link by the system itself (/var/run, /tmp on macOS) leads where the system wants.
  if (stats.uid !== process.geteuid?.() && stats.uid !== 0) {
    return `${at} belongs to another user (uid ${stats.uid})`;
  }
  if (stats.isSymbolicLink()) return stats.uid !== 0 && !ownLinks ? `${at} is a symbolic link` : undefined;
  if (!isWhole && (stats.mode & STICKY) !== 0) return undefined;
  if ((stats.mode & 0o002) !== 0) return `anybody can replace what is in ${at} (mode ${modeOf(stats)})`;
  if ((stats.mode & 0o020) === 0) return undefined;
  if (!isPrivate(stats.gid)) {
    return `its group (gid ${stats.gid}) can replace what is in ${at} (mode ${modeOf(stats)})`;
  }
  if (hasAccessList(at)) return `an access list lets others replace what is in ${at}`;
  return undefined;
}

/** In such a directory an entry can be replaced by its owner alone. */
const STICKY = 0o1000;

/** Returns a mode as people write it. */
export function modeOf({ mode }: Pick<Stats, "mode">): string {
  return `0${(mode & 0o7777).toString(8)}`;
}

/**
 * Reports whether a group has this user alone in it, as many systems give each user
 * one: it has the user's number, no other members, and is no other user's first one.
 * Root's is trusted as root is. Sources: group(5), passwd(5).
 */
function isPrivate(gid: number): boolean {
  if (gid === 0) return true;
  if (gid !== process.geteuid?.() || gid !== process.getegid?.()) return false;
  const members = new RegExp(`^[^:]*:[^:]*:${gid}:(.*)$`, "m").exec(contentOf("/etc/group") ?? "")?.[1];
  const isOwn = (name: string | undefined) => name === "" || name === userName();
  return members?.split(",").every(isOwn) === true && usersWith(gid).every(isOwn);
}

/** Lists the users whose first group this is. */
function usersWith(gid: number): string[] {
  const lines = (contentOf("/etc/passwd") ?? "").split("\n").map((line) => line.split(":"));
  return lines.flatMap(([name = "", , , group]) => (group === String(gid) ? [name] : []));
}

function userName(): string {
  try {
    return builtin("os").userInfo().username;
  } catch {
    return ""; // a user without an account
  }
}

/**
 * Reports whether a file has an access list, with which the mode's bits for the
 * group stand for all that it names. Node cannot read it; ls shows a plus sign.
 * Source: acl(5).
 */
function hasAccessList(path: string): boolean {
  try {
    const { stdout } = builtin("child_process").spawnSync("ls", ["-ld", "--", path], {
      env: { PATH: SYSTEM_PATH },
      encoding: "utf8",
      timeout: 2_000,
    });
    return stdout.split(" ", 1)[0]?.endsWith("+") === true;
  } catch {
    return false; // Node's permission model
  }
}
