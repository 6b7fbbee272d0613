// Makes a dead owner's journal this process's own, by an atomic rename: of all
// guards and recoveries that try, one succeeds.

import { builtin } from "../../platform/node-builtins.ts";
import type { Header } from "../journal/format.ts";
import { isOfAnotherBoot, type JournalName, lifeOfNamed, newClaimName } from "../journal/file-name.ts";
import { type Life, lifeOf } from "../../platform/process-identity.ts";
import { type Pending, readHeader, readJournal } from "../journal/reader.ts";

/** A journal that this process, and no other, carries out. */
export interface Claim {
  readonly path: string;
  readonly header: Header;
  readonly pending: readonly Pending[];
  readonly problems: readonly string[];
  /** Appends a line to the journal. */
  write(line: Readonly<Record<string, unknown>>): void;
  /** Removes the journal, in which nothing is left to do. */
  remove(): void;
  /** Gives the journal back, for the next start to try again. */
  release(): void;
}

/** Why a journal could not be claimed. */
export type NotClaimed = "taken" | "empty" | { readonly refused: string };

const fs = builtin("fs");

/** @param name a journal whose holder is dead */
export function claim(directory: string, name: JournalName): Claim | NotClaimed {
  const { join } = builtin("path");
  const from = join(directory, name.file);
  const path = join(directory, newClaimName(name.journal));
  const copy = join(directory, `${name.journal}.next`);
  // The journal is read before it is renamed: a refused journal stays where it is.
  const before = readJournal(from, copy);
  if (before !== "empty" && "refused" in before && fs.existsSync(from)) return before;
  try {
    fs.renameSync(from, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "taken";
    throw error;
  }
  const read = readJournal(path, copy);
  if (read === "empty") {
    fs.rmSync(path, { force: true });
    return "empty";
  }
  if ("refused" in read) {
    fs.renameSync(path, join(directory, `${name.journal}.refused`));
    return read;
  }
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_APPEND);
  lock(fd);
  fs.writeSync(fd, "\n"); // the owner's last line may be torn
  return {
    path,
    header: read.header,
    pending: read.pending,
    problems: read.problems,
    write: (line) => void fs.writeSync(fd, `${JSON.stringify(line)}\n`),
    remove() {
      fs.rmSync(copy, { force: true });
      fs.rmSync(path, { force: true });
      fs.closeSync(fd);
    },
    release() {
      fs.renameSync(path, join(directory, name.journal));
      fs.closeSync(fd);
    },
  };
}

/**
 * Reports whether the holder of a journal is alive: by the journal's name where
 * it was given in this boot and pid namespace, then by its header, then by a
 * kernel lock.
 */
export function lifeOfHolder(directory: string, name: JournalName): Life {
  const path = builtin("path").join(directory, name.file);
  const named = lifeOfNamed(name.holder);
  if (named === "dead") return "dead";
  if (named === "alive" && name.kind === "claim") return "alive";
  const header = readHeader(path) ?? readHeader(`${path}.next`);
  if (named === "alive") return header?.owner.thread === undefined ? "alive" : lifeOf(header.owner);
  if (header === undefined) return isOfAnotherBoot(name.holder) ? "dead" : "unknown";
  const life = name.kind === "claim" ? lifeOfClaimant(name, header) : lifeOf(header.owner);
  return life === "unknown" ? lifeByLock(path) : life;
}

/** Reports whether a claimant lives. Claims are made on the journal's own system: another boot is an earlier boot. */
function lifeOfClaimant(name: JournalName, header: Header): Life {
  return isOfAnotherBoot(name.holder) && lifeOf(header.owner) === "dead" ? "dead" : "unknown";
}

/** Reports "dead" where the journal tells of a lock that is free now: it ends with the owner and its guard. */
function lifeByLock(path: string): Life {
  const read = readJournal(path, `${path}.next`);
  if (read === "empty" || "refused" in read || !read.locked) return "unknown";
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDWR);
  } catch {
    return "unknown";
  }
  try {
    return lock(fd) === "locked" ? "dead" : "unknown";
  } finally {
    fs.closeSync(fd);
  }
}

/** Takes a lock with flock(1), from util-linux or busybox, which stays with the descriptor. */
function lock(fd: number): "locked" | "held" | "cannot" {
  try {
    const { status } = builtin("child_process").spawnSync("flock", ["-n", "3"], {
      stdio: ["ignore", "ignore", "ignore", fd],
    });
    return status === 0 ? "locked" : status === 1 ? "held" : "cannot";
  } catch {
    return "cannot"; // Node's permission model
  }
}
