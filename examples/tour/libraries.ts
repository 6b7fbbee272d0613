// Two cleanups, registered with this package or with another one, or not at
// all. Each writes into a log file that it ran, and that it came to its end.

import { appendFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export type Library = "atexit" | "signal-exit" | "exit-hook" | "none";
export type Mode = "sync" | "async";

/** What the log holds when both cleanups ran to their end, last in, first out, once. */
export const EXPECTED_LOG: readonly string[] = ["second begins", "second ends", "first begins", "first ends"];

/** What stands in stderr where the first cleanup began: what was written before the cleanups stands before it. */
export const MARK = "<cleanup>";

/** Registers the two cleanups. */
export async function registerCleanups(library: Library, mode: Mode, log: string): Promise<void> {
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
      await sleep(5);
      end();
    };
  });
  await REGISTER[library](cleanups, mode);
}

type Cleanup = () => void | Promise<void>;

const REGISTER: Record<Library, (cleanups: Cleanup[], mode: Mode) => Promise<void>> = {
  async none() {},
  async atexit(cleanups) {
    const { register } = await import("atexit");
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
};
