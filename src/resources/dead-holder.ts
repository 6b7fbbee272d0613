// Whether a holder of a lock lives, and what a dead one has left behind: its lock is
// free when that is gone. It is carried out by the dead one's guard, by other
// recoveries, or by one that is started here, always in another process.

import { report } from "../diagnostics/stderr.ts";
import { forResources } from "../durable/index.ts";
import { parseName, parseToken, processPart } from "../durable/journal/file-name.ts";
import { journalsOf, lifeOfHolder as lifeByLock, type LockHolder } from "../durable/lock/holder.ts";
import { lifeOfHolder as lifeByJournal } from "../durable/replay/claim.ts";
import type { JournalDirectory } from "../durable/journal/directory.ts";
import { builtin, now } from "../platform/node-builtins.ts";
import { printable } from "../platform/printable.ts";
import type { Life } from "../platform/process-identity.ts";
import { process } from "../platform/process.ts";
import { system } from "../platform/this-system.ts";

/** How long guards are left to do it, in milliseconds; a recovery costs a start of Node. */
const GUARDS_TURN = 100;

/** The pause before a second recovery, in milliseconds: the first may be busy with others' recipes. It doubles. */
const FIRST_PAUSE = 1_000;

/** How long recipes that this process cannot see are left to their own user's guard, in milliseconds. */
const UNSEEN_TURN = 1_000;

/**
 * Reports whether a holder lives. Who has died in another container before its owner
 * file had a kernel lock is known by its journals, whose lock came with its first recipe.
 */
export function lifeOfHolder(lock: string, holder: LockHolder): Life {
  const life = lifeByLock(lock, holder);
  const { record, isProvable } = holder;
  if (life !== "unknown" || record === undefined || isProvable) return life;
  const directory = journalsOf(record);
  if (directory === undefined) return "unknown";
  const { held, claimed, left } = journalsIn(directory, record.token);
  return held === 0 && claimed + left > 0 ? "dead" : "unknown";
}

export class DeadHolder {
  readonly token: string;
  readonly #lock: string;
  readonly #holder: LockHolder;
  readonly #seenAt = now();
  /** When to start a recovery. Of many who wait, one is the first. */
  #startAt = this.#seenAt + GUARDS_TURN * (1 + 2 * Math.random());
  #pause = FIRST_PAUSE;

  constructor(lock: string, token: string, holder: LockHolder) {
    this.#lock = lock;
    this.token = token;
    this.#holder = holder;
  }

  /** Reports whether its recipes are over; starts a recovery where nobody carries them out. */
  isCleanedUp(): boolean {
    const directory = this.#directory();
    if (directory !== undefined) {
      const { claimed, left } = journalsIn(directory, this.token);
      if (left > 0) this.#recover(directory);
      if (claimed + left > 0) return false;
      // Where the file cannot be read, they may be in another directory of this user.
      if (this.#holder.record !== undefined) return true;
    }
    return now() - this.#seenAt > UNSEEN_TURN;
  }

  #recover(directory: JournalDirectory): void {
    if (now() < this.#startAt) return;
    this.#startAt = now() + this.#pause;
    this.#pause *= 2;
    forResources.startRecovery(directory);
  }

  #directory(): JournalDirectory | undefined {
    const { record, uid } = this.#holder;
    if (record !== undefined) return journalsOf(record);
    return !system.filesHaveOwners || uid === process.geteuid?.() ? forResources.directoryIfAny() : undefined;
  }

  /** Says once that nobody here knows what it has left. */
  tellIfUnseen(): void {
    if (this.#directory() !== undefined) return;
    const { record, uid } = this.#holder;
    const pid = record?.owner.pid ?? parseToken(this.token)?.pid;
    report(
      `${printable(this.#lock)} is taken from process ${pid} of user ${uid}, which has died. What it left behind cannot be seen from here: its user's next program with recipes cleans that up.`,
    );
  }
}

/** How many journals of a process there are: its own, those that are carried out, and those that nobody carries out. */
interface Journals {
  /** Of threads that live, or may. A thread with recipes has one. */
  readonly held: number;
  readonly claimed: number;
  readonly left: number;
}

function journalsIn(directory: JournalDirectory, token: string): Journals {
  const owner = processPart(token);
  const count = { held: 0, claimed: 0, left: 0 };
  for (const file of filesIn(directory)) {
    const name = parseName(file);
    if (name === undefined || !name.journal.startsWith(owner)) continue;
    if (name.kind !== "journal" && name.kind !== "claim") continue;
    if (lifeByJournal(directory, name) === "dead") count.left += 1;
    else count[name.kind === "claim" ? "claimed" : "held"] += 1;
  }
  return count;
}

function filesIn(directory: JournalDirectory): string[] {
  try {
    return builtin("fs").readdirSync(directory.path);
  } catch {
    return [];
  }
}
