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

import { resourceError } from "../../errors/resources.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { lifeOfNamed, type NamedOwner, newToken, parseToken } from "../journal/file-name.ts";
import { holderOf, isOwnerFileAt, lifeOfHolder, removeOwnerFile, tokenAt } from "./holder.ts";
import { system } from "../../platform/this-system.ts";
import { breakPath, filesBeside, GONE, isSameFile, MOST_BREAKERS, ownerPath, statOf, unlinked } from "./lock-path.ts";
import type { OwnerFile } from "./owner-file.ts";

/** Which file is meant, whatever its name. */
export type Inode = Pick<OwnerFile, "dev" | "ino">;

const fs = builtin("fs");

/** Takes a free lock. Reports whether it was free. */
export function take(lock: string, own: OwnerFile): boolean {
  try {
    return linked(own.path, lock);
  } catch (error) {
    // Who empties the directory of a lock deletes its owner files, too.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    if (statOf(lock) !== undefined) return false;
    own.makeAnew();
    return linked(own.path, lock);
  }
}

/** Reports whether that owner holds the lock; also where the file was overwritten. */
export function isHeldBy(lock: string, own: Inode): boolean {
  return isSameFile(statOf(lock), own);
}

/** Releases a lock that this process holds. */
export function letGo(lock: string, own: Inode): boolean {
  return isHeldBy(lock, own) && freed(lock);
}

/** Removes the name of a lock, which others can take from then on. Reports whether it was there. */
function freed(lock: string): boolean {
  if (system.freesNamesAtOnce) return unlinked(lock);
  // As long as somebody has the file open its name would be there, and nobody's.
  const aside = `${ownerPath(lock, newToken())}${GONE}`;
  try {
    fs.renameSync(lock, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  return unlinked(aside);
}

/**
 * Takes the lock away from a dead owner.
 *
 * @param token the dead owner's
 * @param own the breaker's own file
 * @returns "busy" where another contender is about to
 */
export function breakLock(lock: string, token: string, own: OwnerFile): "over" | "busy" {
  const dead: string[] = [];
  let path = "";
  for (let k = 0; ; k += 1) {
    path = breakPath(lock, token, k);
    if (k === MOST_BREAKERS) throw resourceError("ERR_ATEXIT_LOCK", lock, `${k} files are where ${path} would be`);
    if (linked(own.path, path)) break;
    const other = holderOf(path);
    if (other === undefined) return "over"; // it has been broken just now
    if (lifeOfHolder(path, other, lock) !== "dead") return "busy";
    dead.push(path);
  }
  try {
    if (isStillOf(lock, token)) removeLock(lock, token);
  } finally {
    unlinked(path);
  }
  for (const left of dead.reverse()) removeIfAllowed(left);
  return "over";
}

/** Reports whether the lock is that owner's. */
export function isStillOf(lock: string, token: string): boolean {
  return tokenAt(lock) === token || isSecondName(lock, token);
}

function isSecondName(lock: string, token: string): boolean {
  const stats = statOf(ownerPath(lock, token));
  return stats?.isFile() === true && isHeldBy(lock, stats);
}

/** Removes the lock, and its owner file where only the inode tells that it is the same. */
function removeLock(lock: string, token: string): void {
  const isSame = isSecondName(lock, token);
  freed(lock);
  removeOwnerFile(lock, token, isSame);
}

/** Removes a file that another user may have made. */
function removeIfAllowed(path: string): void {
  try {
    unlinked(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "EACCES") throw error;
  }
}

/** Removes the files that dead owners have left beside a lock that none of them holds. */
export function sweep(lock: string): void {
  const held = tokenAt(lock);
  for (const { path, token, kind } of filesBeside(lock)) {
    if (token === held || lifeOfNamed(parseToken(token) as NamedOwner, `${lock}.`) !== "dead") continue;
    if (
      kind === "break"
        ? isOfDead(path, lock)
        : kind === "owner"
          ? isOwnerFileAt(path, token)
          : statOf(path)?.isFile() === true
    )
      removeIfAllowed(path);
  }
}

function isOfDead(path: string, lock: string): boolean {
  try {
    const taker = holderOf(path);
    return taker?.record !== undefined && lifeOfHolder(path, taker, lock) === "dead";
  } catch {
    return false; // it is no file of this package
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
