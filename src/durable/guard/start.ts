// Starts the guard, and replaces a guard that was killed.

import { builtin, now, setImmediate, setTimeout } from "../../platform/node-builtins.ts";
import { report } from "../../diagnostics/stderr.ts";
import { GUARD_SCRIPT } from "./script.ts";
import { helperOfGuard, keepCopy } from "../helper/helper.ts";
import type { JournalDirectory } from "../journal/directory.ts";
import type { Journal } from "../journal/writer.ts";
import { namesHere } from "../journal/file-name.ts";
import { cleanEnvironment } from "../../platform/node-options.ts";
import { thisProcess } from "../../platform/process-identity.ts";
import { system } from "../../platform/this-system.ts";

type Child = import("node:child_process").ChildProcess;

/** A guard that lives less long was killed on purpose, or cannot live here, in milliseconds. */
const SHORT_LIFE = 1_000;

/** How many short-lived guards in a row are replaced at once; later ones are replaced after a pause. */
const REPLACEMENTS = 3;

/**
 * @param isNeeded whether anything is pending
 * @param unavailable called where none can be started
 */
export function startGuard(
  directory: JournalDirectory,
  journal: Journal,
  isNeeded: () => boolean,
  unavailable: () => void,
): Guard {
  return new Guard(directory, journal, isNeeded, unavailable);
}

export class Guard {
  readonly #directory: JournalDirectory;
  readonly #journal: Journal;
  readonly #isNeeded: () => boolean;
  readonly #unavailable: (error: unknown) => void;
  #child: Child | undefined;
  #shortLives = 0;
  #ended = false;

  constructor(directory: JournalDirectory, journal: Journal, isNeeded: () => boolean, unavailable: () => void) {
    this.#directory = directory;
    this.#journal = journal;
    this.#isNeeded = isNeeded;
    this.#unavailable = (error) => {
      warn(error);
      unavailable();
    };
    this.#start();
  }

  /** Whether a guard runs, as far as is known. */
  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Tells the guard of a recipe that is over, and that may not be written down any more. */
  forget(id: number): void {
    this.#child?.stdin?.write(`${id}\n`);
  }

  /** Ends the guard: closes the pipe that it reads. */
  end(): void {
    this.#ended = true;
    this.#child?.stdin?.destroy();
  }

  #start(): void {
    const startedAt = now();
    let child: Child;
    try {
      child = spawnGuard(this.#directory, this.#journal);
    } catch (error) {
      this.#unavailable(error); // Node's permission model says no at once
      return;
    }
    this.#child = child;
    // The event for a shell that cannot be started comes later; unheard, it would end the program.
    child.once("error", this.#unavailable);
    child.stdin?.on("error", () => {});
    child.unref();
    (child.stdin as { unref?(): void } | null | undefined)?.unref?.();
    child.once("exit", () => {
      child.stdin?.destroy();
      if (this.#ended) return;
      this.#shortLives = now() - startedAt < SHORT_LIFE ? this.#shortLives + 1 : 0;
      this.#child = undefined;
      if (this.#shortLives <= REPLACEMENTS) this.#replace();
      else setTimeout(() => this.#replace(), SHORT_LIFE).unref();
    });
  }

  #replace(): void {
    if (!this.#ended && this.#isNeeded()) this.ensure();
  }

  /** Starts the guard where none runs: a guard that was killed while nothing was pending was not replaced. */
  ensure(): void {
    if (this.#child === undefined && !this.#ended) this.#start();
  }
}

function spawnGuard(directory: JournalDirectory, journal: Journal): Child {
  const helper = helperOfGuard(directory);
  if (helper === undefined)
    throw new Error("this is a single executable, and PATH leads to no node that can be trusted");
  const [node = "", ...before] = helper.runtime;
  const { spawn } = builtin("child_process");
  const options = {
    cwd: builtin("path").parse(journal.path).root, // keeps no directory in use
    env: cleanEnvironment(),
    // The journal is for its kernel lock; on Windows a file that is open could not be removed.
    stdio: ["pipe", "ignore", "ignore", ...(system.hasShell ? [journal.fd] : [])] as ("pipe" | "ignore" | number)[],
    // In a session of its own the guard outlives the process group and the terminal.
    detached: true,
    windowsHide: true,
  };
  const { pid, start, view } = thisProcess();
  if (!system.hasShell) return spawn(node, [...before, helper.program, "--wait", journal.path], options);
  const reach = directory.isLocal ? "local" : "";
  // To write the copy takes half a millisecond, the first time: nobody waits for that.
  setImmediate(() => keepCopy(directory)).unref();
  const args = [
    journal.path,
    helper.program,
    helper.copy,
    String(pid),
    start,
    namesHere(),
    view,
    reach,
    ...helper.runtime,
  ];
  return spawn("/bin/sh", ["-c", GUARD_SCRIPT, "atexit-guard", ...args], options);
}

let warned = false;

/** Reports once in a process that no guard runs; durable cleanups go on without a guard. */
function warn(error: unknown): void {
  if (warned) return;
  warned = true;
  report(
    `no guard is running: ${(error as Error).message}. Durable cleanups happen on every exit that JavaScript sees and at the next start, but not when this process is killed. ATEXIT_GUARD=off says that this is known.`,
  );
}
