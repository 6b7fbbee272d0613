// Programs with recipes, their journals and guards: a place for each test, which
// is gone after it.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Replayed } from "../../src/durable/index.ts";
import { CLI } from "./package-under-test.ts";
import { endIfThere, isWaiting, pidsNaming, pidsWithin } from "./processes.ts";
import { type ProgramOptions, runProgram } from "./program.ts";
import { type Ended, run, type RunOptions, until } from "./run.ts";

export interface Place {
  /** Where the test's programs work. */
  readonly work: string;
  /** Their ATEXIT_DIR. */
  readonly journals: string;
  /** The environment of this process, with that directory and `WORK`. */
  readonly environment: NodeJS.ProcessEnv;
  /** Runs a program, given as its source, in that environment and what the options add to it. */
  run(source: string, options?: ProgramOptions): Promise<Ended>;
  /** The journals that are there, whoever holds them, and what else is there but the log and copies of the helper. */
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
  const root = mkdtempSync(join(tmpdir(), "atexit-place-"));
  const place = placeIn(root);
  try {
    const result = await body(place);
    await place.quiet();
    return result;
  } catch (error) {
    endAllOf(root);
    await place.quiet().catch(() => {});
    throw error;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** As many places at once, all gone after the body. */
export function inPlaces<T>(count: number, body: (places: readonly Place[]) => Promise<T>): Promise<T> {
  const within = (places: readonly Place[]): Promise<T> =>
    places.length === count ? body(places) : inPlace((place) => within([...places, place]));
  return within([]);
}

/** What recover() does in each of these places, all in one process. */
export async function recoverIn(places: readonly Place[]): Promise<void> {
  const [{ run } = { run: runProgram }] = places;
  const source = `
    import { configure, recover } from "atexit/durable";
    for (const journalDir of ${JSON.stringify(places.map(({ journals }) => journals))}) {
      configure({ journalDir });
      await recover();
    }`;
  const { stderr, code } = await run(source, { env: { ATEXIT_DIR: "" } });
  if (code !== 0) throw new Error(`recover() failed: ${stderr}`);
}

/** The command `atexit` with these arguments. */
export function atexit(place: Place, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return run(process.execPath, [CLI, ...args], { env: place.environment, cwd: place.work, ...options });
}

/** Ends what a failed test has left running: it would keep this process for ever, and hide the error behind others. */
function endAllOf(root: string): void {
  for (let pids = pidsWithin(root); pids.length > 0; pids = pidsWithin(root)) pids.forEach(endIfThere);
}

function placeIn(root: string): Place {
  const work = join(root, "work");
  const journals = join(root, "journals");
  mkdirSync(work);
  mkdirSync(journals);
  chmodSync(journals, 0o700);
  const environment = { ...process.env, ATEXIT_DIR: journals, WORK: work, NODE_TEST_CONTEXT: undefined };
  const runHere = (source: string, { env, ...options }: ProgramOptions = {}) =>
    runProgram(source, { ...options, env: { ...environment, ...env } });
  const guards = () => pidsNaming(journals);
  return {
    work,
    journals,
    environment,
    run: runHere,
    left: () =>
      (existsSync(journals) ? readdirSync(journals) : []).filter(
        (name) => !/^(?:log(\.old)?\.jsonl|helper-.*)$/.test(name),
      ),
    log: () => readLines(join(journals, "log.jsonl")),
    async recover({ dryRun = false, ...options } = {}) {
      const source = `
        import { recover } from "atexit/durable";
        console.log(JSON.stringify(await recover({ dryRun: ${dryRun} })));`;
      const { stdout, stderr, code } = await runHere(source, options);
      if (code !== 0) throw new Error(`recover() failed: ${stderr}`);
      return JSON.parse(stdout) as Replayed[];
    },
    quiet: () => until(() => guards().length === 0),
    guards,
    waitingGuards: () => guards().filter(isWaiting),
  };
}

function readLines(path: string): Replayed[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Replayed);
}
