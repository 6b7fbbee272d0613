// Makes a dead owner's journal this process's own, by an atomic rename: of all
// guards and recoveries that try, one succeeds.

import { builtin, now } from "../../platform/node-builtins.ts";
import { SYSTEM_PATH } from "../../platform/system-programs.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import type { Header } from "../journal/format.ts";
import {
  diedName,
  isOfAnotherBoot,
  type JournalName,
  lifeOfNamed,
  claimName,
  newLeftName,
  newToken,
} from "../journal/file-name.ts";
import { lifeByFile, LifeFile, removeLifeFile } from "../journal/life-file.ts";
import { isOfEarlierBoot, type Life, lifeOf } from "../../platform/process-identity.ts";
import { type Died, type NotRead, type Pending, readHeader, readJournal, tellsOfLock } from "../journal/reader.ts";

/** A journal that this process, and no other, carries out. */
export interface Claim {
  readonly name: JournalName;
  /** Where it is now. */
  readonly path: string;
  readonly header: Header;
  readonly pending: readonly Pending[];
  readonly problems: readonly string[];
  readonly died: Died;
  /** The time of the claim, by the clock of the journal's file system in milliseconds. */
  readonly claimedAt: number;
  /** The same by this process's own clock. */
  readonly seenAt: number;
  /** Appends a line to the journal; a disk that is full stops no recipe. */
  write(line: Readonly<Record<string, unknown>>): void;
  /** Removes the journal, in which nothing is left to do. */
  remove(): void;
  /** Gives the journal back, for the next start to try again. */
  release(): void;
  /** Leaves the journal to those who share its owner's view of the file system. */
  leave(): void;
}

/** Why a journal could not be claimed. */
export type NotClaimed = "taken" | NotRead;

const fs = builtin("fs");

/**
 * @param name a journal whose holder is dead
 * @param isGuards whether its guard started this process, which has the guard's descriptor, and its kernel lock
 */
export function claim(directory: JournalDirectory, name: JournalName, isGuards = false): Claim | NotClaimed {
  const from = directory.file(name.file);
  const token = newToken();
  const claimed = claimName(name.journal, token);
  const path = directory.file(claimed);
  // The journal is read before it is renamed: one that is not carried out stays where it is.
  const before = readJournal(directory, name);
  if ((before === "newer" || (before !== "empty" && "refused" in before)) && fs.existsSync(from)) return before;
  const life = new LifeFile(directory.prefix, token);
  /** Leaves it to a later start: this process has too few descriptors, say. */
  const giveBack = () => {
    renameIfThere(path, from);
    life.release();
  };
  try {
    fs.renameSync(from, path);
  } catch (error) {
    life.release();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "taken";
    throw error;
  }
  let read: ReturnType<typeof readJournal>;
  try {
    read = readJournal(directory, { ...name, file: claimed });
  } catch (error) {
    giveBack();
    throw error;
  }
  if (typeof read === "string" || "refused" in read) {
    life.release();
    if (read === "empty") removeWithLifeFile(directory, name, path);
    else fs.renameSync(path, directory.file(read === "newer" ? name.journal : `${name.journal}.refused`));
    return read;
  }
  let fd: number;
  try {
    fd = openOwn(path);
  } catch (error) {
    giveBack();
    throw error;
  }
  const died = read.died ?? lastSignOfLife(directory, name.journal, fd);
  if (directory.isLocal && !(isGuards && read.locked)) lock(fd);
  const write = (line: string) => {
    try {
      fs.writeSync(fd, line);
    } catch {
      // The disk is full. Recipes bear being carried out twice, and to remove things makes room.
    }
  };
  // The owner's last line may be torn.
  write(`\n${read.died === undefined ? `${JSON.stringify({ died: died.at ?? false })}\n` : ""}`);
  const close = () => {
    fs.closeSync(fd);
    life.release();
  };
  return {
    name,
    path,
    header: read.header,
    pending: read.pending,
    problems: read.problems,
    died,
    claimedAt: fs.fstatSync(fd).mtimeMs,
    seenAt: now(),
    write: (line) => write(`${JSON.stringify(line)}\n`),
    remove() {
      for (const file of [`${name.journal}.next`, diedName(name.journal), claimed]) {
        fs.rmSync(directory.file(file), { recursive: true, force: true });
      }
      removeLifeFile(directory.prefix, tokenOf(name));
      close();
    },
    release() {
      renameIfThere(path, directory.file(name.journal));
      close();
    },
    leave() {
      renameIfThere(path, directory.file(newLeftName(name.journal)));
      close();
    },
  };
}

/** Returns the token of a journal's owner, whoever carries it out. */
function tokenOf({ journal }: JournalName): string {
  return journal.slice(0, journal.indexOf("."));
}

function removeWithLifeFile(directory: JournalDirectory, name: JournalName, path: string): void {
  fs.rmSync(path, { force: true });
  removeLifeFile(directory.prefix, tokenOf(name));
}

/** Renames a file, unless somebody has deleted it by hand. */
function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Opens a file of this user's to read and write it, whatever a copy or a backup has made of its mode. */
function openOwn(path: string): number {
  const flags = fs.constants.O_RDWR | fs.constants.O_APPEND;
  try {
    return fs.openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    fs.chmodSync(path, 0o600);
    return fs.openSync(path, flags);
  }
}

/**
 * Returns what is known of the time of an owner's death: when its guard saw it, or
 * else when the owner wrote last. Another system's clock is no evidence.
 */
function lastSignOfLife(directory: JournalDirectory, journal: string, fd: number): Died {
  if (!directory.isLocal) return { at: null };
  const seen = fs.lstatSync(directory.file(diedName(journal)), { throwIfNoEntry: false });
  return { at: (seen ?? fs.fstatSync(fd)).mtimeMs };
}

/**
 * Reports whether the holder of a journal is alive: by the journal's name where
 * it was given in this boot and pid namespace, then by a kernel lock where the
 * journal tells of one, then by whether it was written since the system started.
 */
export function lifeOfHolder(directory: JournalDirectory, name: JournalName): Life {
  const named = lifeOfNamed(name.holder, directory.prefix);
  if (named === "dead") return "dead";
  if (named === "alive" && name.kind === "claim") return "alive";
  const header = readHeader(directory, name);
  if (header === undefined) return named;
  const file = { isLocal: directory.isLocal && header.isLocal, writtenAt: writtenAt(directory, name) };
  const { thread } = header.owner;
  if (named === "alive") {
    if (thread === undefined) return "alive";
    return lifeByFile(directory.prefix, name.holder.token, name.holder.pid, true) ?? lifeOf(header.owner, file);
  }
  // Across a network, file systems differ in what they tell.
  if (!file.isLocal) return "unknown";
  if (tellsOfLock(directory, name)) return isUnlocked(directory, name) ? "dead" : "unknown";
  return isOfAnotherBoot(name.holder) && isOfEarlierBoot(name.holder, file) ? "dead" : "unknown";
}

function writtenAt(directory: JournalDirectory, { file }: JournalName): number {
  return fs.lstatSync(directory.file(file), { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
}

/** Reports whether the kernel's lock on a journal is free: it ends with the owner and its guard. */
function isUnlocked(directory: JournalDirectory, { file }: JournalName): boolean {
  let fd: number;
  try {
    const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
    fd = fs.openSync(directory.file(file), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    return lock(fd) === "locked";
  } finally {
    fs.closeSync(fd);
  }
}

/** Takes a lock with flock(1), from util-linux or busybox, which stays with the descriptor. */
function lock(fd: number): "locked" | "held" | "cannot" {
  try {
    const { status } = builtin("child_process").spawnSync("flock", ["-n", "3"], {
      env: { PATH: SYSTEM_PATH },
      stdio: ["ignore", "ignore", "ignore", fd],
    });
    return status === 0 ? "locked" : status === 1 ? "held" : "cannot";
  } catch {
    return "cannot"; // Node's permission model
  }
}
