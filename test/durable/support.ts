// Programs with recipes, their journals and guards, for the tests of this folder.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Replayed } from "atexit/durable";
import { type ProgramOptions, runProgram } from "../support/program.js";
import type { Ended } from "../support/run.js";

export interface Place {
  /** Where the test's programs work. */
  readonly work: string;
  /** Their ATEXIT_DIR. */
  readonly journals: string;
  /** Runs a program, given as its source, with that directory and `WORK` in its environment. */
  run(source: string, options?: ProgramOptions): Promise<Ended>;
  /** The journals that are there, whoever holds them. */
  left(): string[];
  /** What replays have written down. */
  log(): Replayed[];
  /** What recover() did, in a process of its own. */
  recover(options?: ProgramOptions & { dryRun?: boolean }): Promise<Replayed[]>;
  /** Waits until no process names this place's journals: guards and replays have ended. */
  quiet(): Promise<void>;
  /** The pids of its guards and replays. */
  guards(): number[];
  /** Those guards that have started and only wait. A guard's start has children, which bear its name until they are programs of their own. */
  waitingGuards(): number[];
}

/** A place of its own for a test, gone after it. */
export async function inPlace<T>(body: (place: Place) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), "atexit-durable-"));
  const place = placeIn(root);
  try {
    return await body(place);
  } finally {
    await place.quiet();
    rmSync(root, { recursive: true, force: true });
  }
}

function placeIn(root: string): Place {
  const work = join(root, "work");
  const journals = join(root, "journals");
  mkdirSync(work);
  mkdirSync(journals);
  chmodSync(journals, 0o700);
  const environment = { ...process.env, ATEXIT_DIR: journals, WORK: work, NODE_TEST_CONTEXT: undefined };
  const run = (source: string, { env, ...options }: ProgramOptions = {}) =>
    runProgram(source, { ...options, env: { ...environment, ...env } });
  const guards = () => pidsNaming(journals);
  return {
    work,
    journals,
    run,
    left: () =>
      (existsSync(journals) ? readdirSync(journals) : []).filter((name) => !/^log(\.old)?\.jsonl$/.test(name)),
    log: () => readLines(join(journals, "log.jsonl")),
    async recover({ dryRun = false, ...options } = {}) {
      const source = `
        import { recover } from "atexit/durable";
        console.log(JSON.stringify(await recover({ dryRun: ${dryRun} })));`;
      const { stdout, stderr, code } = await run(source, options);
      if (code !== 0) throw new Error(`recover() failed: ${stderr}`);
      return JSON.parse(stdout) as Replayed[];
    },
    quiet: () => until(() => guards().length === 0),
    guards,
    waitingGuards: () => guards().filter(isWaiting),
  };
}

/** Asks again until it is so. The limit only keeps a failed test from staying for ever. */
export async function until(isSo: () => boolean, limit = 20_000): Promise<void> {
  const end = performance.now() + limit;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`It has not come to be so: ${isSo}`);
    await sleep(5);
  }
}

function readLines(path: string): Replayed[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Replayed);
}

function pidsNaming(text: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => commandOf(pid).includes(text) && pid !== process.pid);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended
  }
}

/** Whether there is such a process, and it has not ended. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Whether the process has no children, and sleeps. */
function isWaiting(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "")[0];
    return state === "S" && readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8") === "";
  } catch {
    return false; // it has ended
  }
}
