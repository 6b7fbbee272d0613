// The program that a guard becomes when its owner has died.
//
//   atexit-helper.cjs JOURNAL         when its owner is dead, carries it out
//   atexit-helper.cjs --guard JOURNAL [ID ...]  the same, started by its owner's guard, in its owner's
//                                     namespaces; recipes with these ids are over
//   atexit-helper.cjs --wait JOURNAL   the same, at the end of standard input (Windows); until then it recovers
//   atexit-helper.cjs --recover DIR    carries out the journals of dead owners
//   atexit-helper.cjs --call          calls the function that standard input names

import { callAndExit } from "./call-main.ts";
import { claim, lifeOfHolder } from "./claim.ts";
import { JournalDirectory } from "../journal/directory.ts";
import { OWNER_IS_ALIVE } from "./exit-status.ts";
import { parseName } from "../journal/file-name.ts";
import { removeLifeFile } from "../journal/life-file.ts";
import { readHeader } from "../journal/reader.ts";
import { LivingOwners } from "./living-owners.ts";
import { recoverIn } from "./recover.ts";
import { replay } from "./replay.ts";
import { builtin } from "../../platform/node-builtins.ts";
import { process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";
import { sleep, until } from "../../platform/wait.ts";

const { existsSync, rmSync, statSync } = builtin("fs");
const { basename, dirname } = builtin("path");

/** How long a dying owner may take to end, in milliseconds: its descriptors are closed first. */
const DYING = 2_000;

/** How often a guard on Windows looks again whether its owner is dead, in milliseconds. */
const LOOK_AGAIN = 2_000;

void main(process.argv.slice(2));

async function main([first = "", second = "", ...over]: readonly string[]): Promise<void> {
  if (first === "--call") return await callAndExit();
  if (first === "--recover") {
    await recoverIn(JournalDirectory.at(second), { all: false });
    return;
  }
  if (first === "--wait") return await waitAndReplay(second);
  const isGuard = first === "--guard";
  process.exitCode = await replayOne(isGuard ? second : first, isGuard, new Set(over.map(Number)));
}

async function waitAndReplay(path: string): Promise<void> {
  const others = recoverIn(JournalDirectory.at(dirname(path)), { all: false });
  for await (const _ of process.stdin);
  await others;
  if (!hasWork(path)) return removeAll(path);
  for (;;) {
    process.exitCode = await replayOne(path, true, new Set());
    // A worker thread may have ended before its process, which is what can be looked at here.
    if (process.exitCode !== OWNER_IS_ALIVE || !hasWork(path)) return;
    await sleep(LOOK_AGAIN);
  }
}

/** Reports whether anything may be pending. An owner that has ended well leaves no journal, or an empty one. */
function hasWork(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0 || existsSync(`${path}.next`);
}

/** Removes what an owner has left that has ended well. */
function removeAll(path: string): void {
  const owner = parseName(basename(path))?.holder.token;
  rmSync(path, { force: true });
  if (owner !== undefined) removeLifeFile(JournalDirectory.at(dirname(path)).prefix, owner);
}

/** @param over the ids of recipes that their owner could not write down to be over */
async function replayOne(path: string, isGuard: boolean, over: ReadonlySet<number>): Promise<number> {
  const directory = JournalDirectory.at(dirname(path));
  const name = parseName(basename(path));
  if (name === undefined) return 0;
  // A guard's pipe has ended, which nobody held but the thread that began the journal.
  const isThreads = isGuard && readHeader(directory, name)?.owner.thread?.tid === 0;
  const isDead = isThreads || (await until(() => lifeOfHolder(directory, name) === "dead", DYING));
  if (!isDead) return OWNER_IS_ALIVE;
  const claimed = claim(directory, name, isGuard && system.hasShell);
  if (typeof claimed === "object" && "header" in claimed) {
    for (const id of over) claimed.write({ done: id });
    const left = { ...claimed, pending: claimed.pending.filter(({ id }) => !over.has(id)) };
    const living = new LivingOwners(directory, () => [left]);
    await replay(directory, left, living, isGuard ? "guard" : "next start");
  }
  return 0;
}
