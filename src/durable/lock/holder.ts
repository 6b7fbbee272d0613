// Who holds a lock, and whether the holder lives.

import { builtin } from "../../platform/node-builtins.ts";
import { isSameBoot, type Life, lifeOf, thisProcess } from "../../platform/process-identity.ts";
import { SYSTEM_PATH } from "../../platform/system-programs.ts";
import { system } from "../../platform/this-system.ts";
import { JournalDirectory } from "../journal/directory.ts";
import { lifeOfNamed, parseToken } from "../journal/file-name.ts";
import { lifeByFile, removeLifeFile } from "../journal/life-file.ts";
import { filesBeside, isSameFile, openLock, ownerPath, statOf, unlinked } from "./lock-path.ts";
import { isOwnerFile, type LockRecord, readRecord } from "./lock-record.ts";

type Stats = import("node:fs").Stats;

/** The known facts about a lock's holder; there may be none. */
export interface LockHolder {
  readonly token: string | undefined;
  readonly record: LockRecord | undefined;
  /** Since when the holder has the lock. */
  readonly since: Date;
  readonly uid: number;
  /** Whether a kernel lock tells that the holder lives. */
  readonly isProvable: boolean;
}

const fs = builtin("fs");

/**
 * Returns the holder of a lock, or `undefined` where the lock is free.
 *
 * @throws an error with the code `ERR_ATEXIT_LOCK` where no regular file is there; the system's error
 */
export function holderOf(lock: string): LockHolder | undefined {
  let file: ReturnType<typeof openLock>;
  try {
    file = openLock(lock);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    const stats = statOf(lock);
    return stats && holderWith(tokenByInode(lock, stats), stats);
  }
  if (file === undefined) return undefined;
  const { fd, stats } = file;
  try {
    const { record, isProvable } = readRecord(fd, stats.size);
    const token = record?.token ?? tokenByInode(lock, stats);
    // The holder has released the lock between the open and the read, and left nothing to tell it by.
    if (token === undefined && !isSameFile(statOf(lock), stats)) return undefined;
    return { ...holderWith(token, stats), record, isProvable };
  } finally {
    fs.closeSync(fd);
  }
}

function holderWith(token: string | undefined, { ctime, uid }: Stats): LockHolder {
  return { token, record: undefined, since: ctime /* link(2) sets it */, uid, isProvable: false };
}

/** Returns the token of the holder; `undefined` where nobody can tell, or nothing of a lock is there. */
export function tokenAt(lock: string): string | undefined {
  try {
    return holderOf(lock)?.token;
  } catch {
    return undefined;
  }
}

/** Returns the token in the second name of a lock file, which a file that cannot be read still has. */
function tokenByInode(lock: string, stats: Stats): string | undefined {
  if (stats.nlink < 2) return undefined;
  const names = filesBeside(lock).filter(({ path, kind }) => kind === "owner" && isSameFile(statOf(path), stats));
  return names.length === 1 ? names[0]?.token : undefined;
}

/**
 * Removes the owner file of a dead owner, and no other file that has its name.
 *
 * @param isKnown whether it is known by its inode to be the owner file, whatever is in it
 */
export function removeOwnerFile(lock: string, token: string, isKnown = false): void {
  const path = ownerPath(lock, token);
  if (isKnown || isOwnerFileAt(path, token)) unlinked(path);
  removeLifeFile(`${lock}.`, token);
}

export function isOwnerFileAt(path: string, token: string): boolean {
  let file: ReturnType<typeof openLock>;
  try {
    file = openLock(path);
  } catch {
    return false; // something else is there, or nobody may look
  }
  if (file === undefined) return false;
  try {
    return isOwnerFile(file.fd, token);
  } finally {
    fs.closeSync(file.fd);
  }
}

/**
 * Reports whether a holder lives, by the strongest evidence that there is. "unknown" is never "dead".
 *
 * @param path of the lock, or of the file of who breaks it
 */
export function lifeOfHolder(path: string, { record, token, since, isProvable }: LockHolder, lock = path): Life {
  const prefix = `${lock}.`;
  if (record === undefined) {
    const named = token === undefined ? undefined : parseToken(token);
    return named === undefined ? "unknown" : lifeOfNamed(named, prefix);
  }
  const { owner } = record;
  const told = lifeByFile(prefix, record.token, owner.pid, owner.thread !== undefined);
  if (told === "alive" || (told === "dead" && system.isLocal(builtin("path").dirname(lock)))) return told;
  const file = {
    isLocal: record.isLocal === true && system.isLocal(builtin("path").dirname(lock)),
    writtenAt: since.getTime(),
  };
  // A kernel lock is better evidence than clocks, by which a holder with a boot id of its own may look dead.
  if (isProvable && file.isLocal && !isSameBoot(owner.boot, thisProcess().boot))
    return isUnlocked(path) ? "dead" : "unknown";
  const life = lifeOf(owner, file);
  if (life !== "unknown") return life;
  return isProvable && file.isLocal && isUnlocked(path) ? "dead" : "unknown";
}

/** Reports whether the kernel's lock is free. Across a network, file systems differ in what they tell. */
function isUnlocked(lock: string): boolean {
  if (!system.isLocal(builtin("path").dirname(lock))) return false;
  let fd: number | undefined;
  try {
    fd = openLock(lock)?.fd;
    if (fd === undefined) return false;
    const stdio = ["ignore", "ignore", "ignore", fd] as ("ignore" | number)[];
    return (
      builtin("child_process").spawnSync("flock", ["-n", "-s", "3"], {
        stdio,
        env: { PATH: SYSTEM_PATH },
        timeout: 2_000,
      }).status === 0
    );
  } catch {
    return false;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/**
 * Returns the directory of a holder's recipes, if it is this user's own, and no
 * other user can write into it: what another user's lock file names is no order.
 */
export function journalsOf({ journals, journalsAre, owner }: LockRecord): JournalDirectory | undefined {
  if (journals === undefined || journalsAre === undefined || !builtin("path").isAbsolute(journals)) return undefined;
  const [dev, ino] = journalsAre;
  try {
    const directory = JournalDirectory.at(journals);
    const stats = statOf(journals);
    // Devices get their numbers anew with each start of the system.
    const isThat = stats?.ino === ino && (stats.dev === dev || !isSameBoot(owner.boot, thisProcess().boot));
    return isThat ? directory : undefined;
  } catch {
    return undefined; // it is not trusted, or nobody else may look there
  }
}
