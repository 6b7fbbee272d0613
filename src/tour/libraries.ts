// Two cleanups, registered with this package or with another one, or not at
// all. Each writes into a log file that it ran, and that it came to its end.

import { system } from "../platform/this-system.ts";
import { appendFileSync, mkdirSync, writeFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(import.meta.url);

/** The libraries that the table compares; `none` is bare Node. */
export const LIBRARIES = [
  "atexit",
  "signal-exit",
  "when-exit",
  "node-cleanup",
  "exit-hook",
  "async-exit-hook",
  "close-with-grace",
] as const;

export type Library = (typeof LIBRARIES)[number] | "none";
/** What the cleanups are: functions, or recipes, which only this package has. */
export type Mode = "sync" | "async" | "recipes";

/** What the log holds when both cleanups ran to their end, last in, first out, once. */
export const EXPECTED_LOG: readonly string[] = ["second begins", "second ends", "first begins", "first ends"];

/** What stands in stderr where the first cleanup began: what was written before the cleanups stands before it. */
export const MARK = "<cleanup>";

/** Registers the two cleanups. */
export async function registerCleanups(library: Library, mode: Mode, log: string): Promise<void> {
  if (library === "atexit" && mode === "recipes") return registerRecipes(log);
  const note = (line: string) => appendFileSync(log, `${line}\n`);
  const cleanups = ["first", "second"].map((name) => {
    const begin = () => {
      note(`${name} begins`);
      if (name === "second") writeSync(2, MARK);
    };
    const end = () => note(`${name} ends`);
    if (mode === "sync") {
      return () => {
        begin();
        end();
      };
    }
    return async () => {
      begin();
      await new Promise<void>((resolve) => process.nextTick(resolve)); // which Node drops once it is exiting
      await sleep(5);
      end();
    };
  });
  await REGISTER[library](cleanups, mode);
}

/** The same as commands, and the removal of a directory. */
async function registerRecipes(log: string): Promise<void> {
  const { exec, remove } = await import("../durable/index.ts");
  const scratch = join(dirname(log), "scratch");
  mkdirSync(scratch);
  writeFileSync(join(scratch, "file"), "");
  remove(scratch);
  const script = 'echo "$1 begins" >>"$2"; echo "$1 ends" >>"$2"';
  const inNode =
    'for (const word of ["begins", "ends"]) fs.appendFileSync(process.argv[2], `${process.argv[1]} ${word}\\n`)';
  for (const name of ["first", "second"]) {
    if (system.hasShell) exec("/bin/sh", ["-c", script, "sh", name, log]);
    else exec(process.execPath, ["-e", inNode, name, log]);
  }
}

type Cleanup = () => void | Promise<void>;

const REGISTER: Record<Library, (cleanups: Cleanup[], mode: Mode) => Promise<void>> = {
  async none() {},
  async atexit(cleanups) {
    const { register } = await import("../index.ts");
    for (const cleanup of cleanups) register(cleanup);
  },
  async "signal-exit"(cleanups) {
    const { onExit } = await import("signal-exit");
    for (const cleanup of cleanups) {
      onExit(() => {
        void cleanup();
      });
    }
  },
  async "exit-hook"(cleanups, mode) {
    const { default: exitHook, asyncExitHook } = await import("exit-hook");
    for (const cleanup of cleanups) {
      if (mode === "sync") exitHook(() => void cleanup());
      else asyncExitHook(async () => cleanup(), { wait: 5_000 });
    }
  },
  async "when-exit"(cleanups) {
    const { default: whenExit } = await import("when-exit");
    for (const cleanup of cleanups) whenExit(() => void cleanup());
  },
  async "node-cleanup"(cleanups) {
    const nodeCleanup = require("node-cleanup") as (handler: () => void) => void;
    for (const cleanup of cleanups) nodeCleanup(() => void cleanup());
  },
  async "async-exit-hook"(cleanups, mode) {
    const exitHook = require("async-exit-hook") as AsyncExitHook;
    // Given a parameter, a hook is taken for asynchronous; errors have hooks of their own.
    const hooks = cleanups.map((cleanup) =>
      mode === "sync" ? () => void cleanup() : (done: () => void) => void Promise.resolve(cleanup()).then(done),
    );
    for (const hook of hooks) exitHook(hook);
    exitHook.uncaughtExceptionHandler((error) => console.error(error));
    exitHook.unhandledRejectionHandler((error) => console.error(error));
  },
  async "close-with-grace"(cleanups) {
    const closeWithGrace = require("close-with-grace") as (close: () => Promise<void>) => void;
    // It takes one callback only.
    closeWithGrace(async () => {
      for (const cleanup of [...cleanups].reverse()) await cleanup();
    });
  },
};

interface AsyncExitHook {
  (hook: (done: () => void) => void): void;
  uncaughtExceptionHandler(hook: (error: unknown) => void): void;
  unhandledRejectionHandler(hook: (error: unknown) => void): void;
}
