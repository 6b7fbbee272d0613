// Carries out, at a later start, the journals whose guards died too.

import { builtin, clearTimeout, setImmediate, setTimeout, timeOfDay } from "../../platform/node-builtins.ts";
import { type Claim, claim, lifeOfHolder } from "./claim.ts";
import { appendToLog } from "./replay-log.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import { removeCopies } from "../helper/helper.ts";
import { isLacking } from "../../platform/lacking.ts";
import { ALIVE, removeLifeFile } from "../journal/life-file.ts";
import { type JournalName, journalName, lifeOfNamed, parseName, parseToken } from "../journal/file-name.ts";
import { readJournal } from "../journal/reader.ts";
import { thisProcess } from "../../platform/process-identity.ts";
import { LivingOwners } from "./living-owners.ts";
import { entryOf, replay } from "./replay.ts";
import type { Replayed } from "./replayed.ts";
import { process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

/** How many journals are claimed, and then carried out, together: what the living name is read once for them. */
const BATCH = 16;

/** How long the others of a batch wait for one, in milliseconds: then they are free again for who waits for them. */
const PATIENCE = 500;

/** How long a refused journal is kept for a person to look at, in milliseconds. */
const KEPT = 30 * 24 * 3_600_000;

const NEWER = "a newer version of atexit has written it, or one from before 1.2 of its format: it is left to that one";

const fs = builtin("fs");

/** The options of a recovery. */
export interface RecoveryOptions {
  /** Whether to return what would be done, and do nothing. */
  dryRun?: boolean;
  /** Whether to try once more those journals of which no more could be done here. */
  all?: boolean;
  /** Which journals; all by default. */
  only?: (name: JournalName) => boolean;
  /** Returns another number when this process itself has registered something meanwhile. */
  changes?: () => number;
}

/** Claims and carries out every journal whose owner is dead, and leaves those whose owner may be alive. */
export async function recoverIn(directory: JournalDirectory, options: RecoveryOptions = {}): Promise<Replayed[]> {
  const { dryRun = false, all = true, only = () => true, changes = () => 0 } = options;
  const names = namesIn(directory);
  const left = names.filter((name) => isJournal(name, all) && only(name));
  const replayed: Replayed[] = [];
  while (left.length > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    const batch = left.splice(0, BATCH).filter((name) => lifeOfHolder(directory, name) === "dead");
    if (dryRun) replayed.push(...batch.flatMap((name) => wouldReplay(directory, name)));
    else replayed.push(...(await carryOutBatch(directory, batch, changes, (name) => left.unshift(name))));
  }
  if (!dryRun) sweep(directory);
  return replayed;
}

function namesIn(directory: JournalDirectory): JournalName[] {
  return fs
    .readdirSync(directory.path)
    .sort()
    .flatMap((file) => parseName(file) ?? []);
}

/** How many journals of other containers are looked at in a row: each takes a process, for its kernel lock. */
const LOCKS = 8;

/** Reports whether a dead owner has left a journal that nobody has tried here yet. */
export function hasLeft(directory: JournalDirectory): boolean {
  let locks = 0;
  return namesIn(directory)
    .filter((name) => isJournal(name, false))
    .some((name) => {
      const named = lifeOfNamed(name.holder, directory.prefix);
      if (named === "unknown") locks += 1;
      return named === "dead" || (locks <= LOCKS && lifeOfHolder(directory, name) === "dead");
    });
}

function isJournal({ kind, triedIn }: JournalName, all: boolean): boolean {
  return kind === "journal" || kind === "claim" || (kind === "left" && (all || triedIn !== thisProcess().view));
}

/** @param giveBack called with what was claimed, and is free again since another one took long */
async function carryOutBatch(
  directory: JournalDirectory,
  batch: readonly JournalName[],
  changes: () => number,
  giveBack: (name: JournalName) => void,
): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  const claims: Claim[] = [];
  for (const name of batch) {
    const result = tryClaim(directory, name);
    if (result === "newer") replayed.push(refusal(directory, name, NEWER));
    if (typeof result === "string") continue;
    if ("refused" in result) {
      const entry = refusal(directory, name, result.refused);
      replayed.push(entry);
      if (putAside(directory, name)) appendToLog(directory.path, entry);
    } else {
      claims.push(result);
    }
  }
  const living = new LivingOwners(directory, () => claims, { changes });
  const waiting = [...claims];
  for (let claimed = waiting.shift(); claimed !== undefined; claimed = waiting.shift()) {
    const impatient = setTimeout(() => {
      for (const { release, name } of waiting.splice(0)) {
        release();
        giveBack(parseName(name.journal) ?? name);
      }
    }, PATIENCE);
    try {
      replayed.push(...(await replay(directory, claimed, living, "next start")));
    } catch (error) {
      // One journal's failure stops no other.
      replayed.push(refusal(directory, claimed.name, (error as Error).message));
      claimed.release();
    } finally {
      clearTimeout(impatient);
    }
  }
  return replayed;
}

/** Claims a journal; one that the system does not let this process claim is refused, and stops no other. */
function tryClaim(directory: JournalDirectory, name: JournalName): ReturnType<typeof claim> {
  try {
    return claim(directory, name);
  } catch (error) {
    if (isLacking(error)) return "taken"; // a later start has enough
    return { refused: (error as Error).message };
  }
}

function wouldReplay(directory: JournalDirectory, name: JournalName): Replayed[] {
  const read = readJournal(directory, name);
  if (read === "newer") return [refusal(directory, name, NEWER)];
  if (read === "empty") return [];
  if ("refused" in read) return [refusal(directory, name, read.refused)];
  const pending = [...read.pending].reverse();
  return pending.map(({ recipe }) => entryOf(read, { recipe, outcome: "pending" }));
}

function refusal(directory: JournalDirectory, { file }: JournalName, why: string): Replayed {
  const title = `the journal ${directory.file(file)}`;
  return { at: new Date(timeOfDay()).toISOString(), by: process.pid, title, outcome: "refused", why };
}

/** Renames a refused journal, so that it is reported once. The file of another user stays as it is. */
function putAside(directory: JournalDirectory, { file, journal }: JournalName): boolean {
  const path = directory.file(file);
  try {
    if (system.filesHaveOwners && fs.lstatSync(path).uid !== process.geteuid?.()) return false;
    fs.renameSync(path, directory.file(`${journal}.refused`));
    return true;
  } catch {
    return false;
  }
}

/** Removes the files that no process needs any more. */
function sweep(directory: JournalDirectory): void {
  const names = namesIn(directory);
  const inUse = new Set(names.filter((name) => isJournal(name, true)).map(({ journal }) => journal));
  if (inUse.size === 0) removeCopies(directory);
  for (const name of names) {
    if (isJournal(name, true) || (name.kind !== "refused" && inUse.has(name.journal))) continue;
    const path = directory.file(name.file);
    try {
      const isUseless =
        name.kind === "refused"
          ? timeOfDay() - fs.lstatSync(path).mtimeMs > KEPT
          : lifeOfHolder(directory, { ...name, kind: "journal" }) === "dead";
      if (isUseless) fs.unlinkSync(path);
    } catch {
      // The file is gone already, or stays.
    }
  }
  sweepLifeFiles(directory, inUse);
}

/** Removes the files of owners that are dead, and have no journal any more. */
function sweepLifeFiles(directory: JournalDirectory, inUse: ReadonlySet<string>): void {
  if (system.openLocks === undefined) return;
  for (const file of fs.readdirSync(directory.path)) {
    const owner = file.endsWith(ALIVE) ? parseToken(file.slice(0, -ALIVE.length)) : undefined;
    if (owner === undefined || inUse.has(journalName(owner.token))) continue;
    if (lifeOfNamed(owner, directory.prefix) === "dead") removeLifeFile(directory.prefix, owner.token);
  }
}
