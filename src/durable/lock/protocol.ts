// The protocol of a lock: how it is taken, released, and taken from a dead
// owner. Only link(2) and unlink(2) decide, so that nothing is left to be undone
// when a process dies between two of them.
//
//   free --link--> held --unlink by its holder--> free
//                  held --its owner is dead, and one contender breaks it--> free
//
// Removing the lock and making a new one in two steps would let two contenders
// believe that they hold it. So a contender removes the lock of a dead owner only
// when it has become its only breaker: by a link again, whose name holds the
// dead owner's token. A token never comes back, so a slow breaker removes
// nothing: it looks once more at whose the lock is. Where a breaker dies, the
// next one has the next number.

import { builtin } from "../../platform/node-builtins.ts";
import { lifeOfNamed, parseToken } from "../journal/file-name.ts";
import { holderOf, lifeOfHolder, type OwnerFile, ownerPath } from "./owner-file.ts";

const fs = builtin("fs");

/** Takes a free lock. Reports whether it was free. */
export function take(lock: string, own: OwnerFile): boolean {
  return linked(own.path, lock);
}

/** Reports whether that owner holds the lock; also where the file was overwritten. */
export function isHeldBy(lock: string, { dev, ino }: Pick<OwnerFile, "dev" | "ino">): boolean {
  const stats = fs.lstatSync(lock, { throwIfNoEntry: false });
  return stats !== undefined && stats.ino === ino && stats.dev === dev;
}

/** Releases a lock that this process holds. */
export function letGo(lock: string, own: Pick<OwnerFile, "dev" | "ino">): boolean {
  if (!isHeldBy(lock, own)) return false;
  fs.unlinkSync(lock);
  return true;
}

/**
 * Takes the lock away from a dead owner.
 *
 * @param token the dead owner's
 * @param own the breaker's own file
 * @returns "busy" where another contender is about to
 */
export function breakLock(lock: string, token: string, own: OwnerFile): "over" | "busy" {
  const taken: string[] = [];
  for (let k = 0; ; k += 1) {
    const path = `${ownerPath(lock, token)}.break-${k}`;
    taken.push(path);
    if (linked(own.path, path)) break;
    const other = holderOf(path);
    if (other === undefined) return "over"; // it has been broken just now
    if (lifeOfHolder(path, other) !== "dead") return "busy";
  }
  try {
    if (isStill(lock, token)) fs.unlinkSync(lock);
  } finally {
    for (const path of taken.reverse()) fs.rmSync(path, { force: true });
  }
  return "over";
}

function isStill(lock: string, token: string): boolean {
  if (holderOf(lock)?.token === token) return true;
  const stats = fs.lstatSync(ownerPath(lock, token), { throwIfNoEntry: false });
  return stats !== undefined && isHeldBy(lock, stats);
}

/** Removes the files that dead owners have left beside a lock that none of them holds. */
export function sweep(lock: string): void {
  const { basename, dirname, join } = builtin("path");
  const directory = dirname(lock);
  const prefix = `${basename(lock)}.`;
  const held = holderOf(lock)?.token;
  for (const file of fs.readdirSync(directory)) {
    if (!file.startsWith(prefix)) continue;
    const [token = "", end = ""] = file.slice(prefix.length).split(/(?=\.break-\d+$)/);
    const named = parseToken(token);
    if (named === undefined || token === held || lifeOfNamed(named) !== "dead") continue;
    const path = join(directory, file);
    if (end !== "") {
      const taker = holderOf(path);
      if (taker === undefined || lifeOfHolder(path, taker) !== "dead") continue;
    }
    fs.rmSync(path, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
