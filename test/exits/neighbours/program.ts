// The program that the tests end. Its arguments are a directory and the steps
// that it takes, one after the other: uses of atexit and of its neighbours, and
// at last the exit. What happens goes to the file `log` in that directory.

import { appendFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { urlOf } from "../../support/package-under-test.ts";
import { type ExitName, libraries } from "./libraries.ts";

type Step = () => unknown;

const [directory = ".", ...steps] = process.argv.slice(2);

const path = (name: string) => join(directory, name);
const note = (line: string) => appendFileSync(path("log"), `${line}\n`);

/** Takes back what the last `onExit` step registered. */
let removeHook: Step = () => {};

const uses: Record<string, Step> = {
  atexit: async () => {
    const { register } = (await import(urlOf("atexit"))) as typeof import("../../../src/index.ts");
    register(() => note("atexit: synchronous"));
    register(async () => {
      await sleep(20);
      note("atexit: asynchronous");
    });
  },
  "import signal-exit 4": () => import("signal-exit"),
  "import signal-exit 3": () => import("signal-exit-3"),
  "onExit of signal-exit 4": async () => {
    const { onExit } = await import("signal-exit");
    removeHook = onExit(() => {});
  },
  "onExit of signal-exit 3": async () => {
    const { default: onExit } = await import("signal-exit-3");
    removeHook = onExit(() => {});
  },
  "the hook is removed": () => removeHook(),
  "source-map-support is installed": async () => {
    const { default: support } = await import("source-map-support");
    support.install();
  },
  "a child of execa ends": async () => {
    const { execa } = await import("execa");
    await execa("true");
  },
  "the program listens to SIGTERM": () => process.on("SIGTERM", decide),
  "the program listens once to SIGTERM": () => process.once("SIGTERM", decide),
};

const ends: Record<ExitName, Step> = {
  SIGTERM: awaitSignal,
  SIGINT: awaitSignal,
  "natural end": () => {},
  "process.exit(4)": () => process.exit(4),
  "uncaught throw": () =>
    setTimeout(() => {
      throw new Error("nobody caught this");
    }),
};

/** A program's own decision: some work, then a status that only it can know. */
async function decide(): Promise<void> {
  await sleep(50);
  note("the program decided");
  process.exit(9);
}

function awaitSignal(): void {
  setInterval(() => {}, 60_000);
  note(`pid: ${process.pid}`);
  writeSync(1, "ready\n");
}

function use(name: string): unknown {
  const library = libraries.find((candidate) => candidate.name === name);
  const noteCleanup = () => note(`cleaned up: ${name}`);
  if (library !== undefined) return library.install({ path, note, noteCleanup });
  const step = uses[name] ?? ends[name as ExitName];
  if (step === undefined) throw new Error(`There is no step ${JSON.stringify(name)}.`);
  return step();
}

for (const step of steps) await use(step);
