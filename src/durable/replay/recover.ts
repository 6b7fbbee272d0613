// Carries out, at a later start, the journals whose guards died too.

import { builtin, setImmediate } from "../../platform/node-builtins.ts";
import { claim, lifeOfHolder } from "./claim.ts";
import { appendToLog } from "./replay-log.ts";
import { type JournalName, parseName } from "../journal/file-name.ts";
import { readJournal } from "../journal/reader.ts";
import { entryOf, replay } from "./replay.ts";
import type { Replayed } from "./replayed.ts";

/** How many journals are looked at in one turn of the event loop. */
const BATCH = 50;

/** How long a refused journal is kept for a person to look at, in milliseconds. */
const KEPT = 30 * 24 * 3_600_000;

const fs = builtin("fs");

/** The options of a recovery. */
export interface RecoveryOptions {
  /** Whether to return what would be done, and do nothing. */
  dryRun?: boolean;
  /** Which journals; all by default. */
  only?: (name: JournalName) => boolean;
}

/** Claims and carries out every journal whose owner is dead, and leaves those whose owner may be alive. */
export async function recoverIn(directory: string, options: RecoveryOptions = {}): Promise<Replayed[]> {
  const { dryRun = false, only = () => true } = options;
  const replayed: Replayed[] = [];
  let looked = 0;
  for (const file of fs.readdirSync(directory).sort()) {
    const name = parseName(file);
    if (name === undefined || !only(name)) continue;
    looked += 1;
    if (looked % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
    replayed.push(...(await recoverOne(directory, name, dryRun)));
  }
  return replayed;
}

async function recoverOne(directory: string, name: JournalName, dryRun: boolean): Promise<Replayed[]> {
  if (name.kind !== "journal" && name.kind !== "claim") {
    if (!dryRun) sweep(directory, name);
    return [];
  }
  if (lifeOfHolder(directory, name) !== "dead") return [];
  if (dryRun) return wouldReplay(directory, name);
  const claimed = claim(directory, name);
  if (claimed === "taken" || claimed === "empty") return [];
  if ("refused" in claimed) {
    const entry = refusal(directory, name, claimed.refused);
    if (putAside(directory, name)) appendToLog(directory, entry);
    return [entry];
  }
  return replay(directory, claimed, "next start");
}

function wouldReplay(directory: string, name: JournalName): Replayed[] {
  const { join } = builtin("path");
  const read = readJournal(join(directory, name.file), join(directory, `${name.journal}.next`));
  if (read === "empty") return [];
  if ("refused" in read) return [refusal(directory, name, read.refused)];
  const pending = [...read.pending].reverse();
  return pending.map(({ recipe }) => entryOf(read, { recipe, outcome: "pending" }));
}

function refusal(directory: string, { file }: JournalName, why: string): Replayed {
  const title = `the journal ${builtin("path").join(directory, file)}`;
  return { at: new Date().toISOString(), by: process.pid, title, outcome: "refused", why };
}

/** Renames a refused journal, so that it is reported once. The file of another user stays as it is. */
function putAside(directory: string, { file, journal }: JournalName): boolean {
  const { join } = builtin("path");
  const path = join(directory, file);
  try {
    if (process.platform !== "win32" && fs.lstatSync(path).uid !== process.geteuid?.()) return false;
    fs.renameSync(path, join(directory, `${journal}.refused`));
    return true;
  } catch {
    return false;
  }
}

/** Removes a file that no process needs any more. */
function sweep(directory: string, name: JournalName): void {
  const { join } = builtin("path");
  const path = join(directory, name.file);
  try {
    const age = Date.now() - fs.lstatSync(path).mtimeMs;
    const isUseless =
      name.kind === "refused"
        ? age > KEPT
        : !isInUse(directory, name) && lifeOfHolder(directory, { ...name, kind: "journal" }) === "dead";
    if (isUseless) fs.unlinkSync(path);
  } catch {
    // The file is gone already, or stays.
  }
}

/** Reports whether the file's journal is there, under its own name or claimed. */
function isInUse(directory: string, { journal }: JournalName): boolean {
  return fs
    .readdirSync(directory)
    .some((file) => file === journal || (file.startsWith(`${journal}.`) && file.endsWith(".claim")));
}
