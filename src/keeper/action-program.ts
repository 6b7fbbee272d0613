// What runs in a keeper's threads: carries out one action after the other, as it
// is asked.

import { parentPort, workerData } from "node:worker_threads";
import { actionsOf, type AskedAction } from "./actions.ts";
import { attempt } from "./attempt.ts";
import type { Attempted } from "./owner-run.ts";

/** What the thread answers: first of all what its actions are called, then what has come of each. */
export type Answered = { readonly names: readonly string[] } | Attempted;

async function serve(): Promise<void> {
  const { module } = workerData as { module: string };
  const actions = actionsOf((await import(module)) as Record<string, unknown>, module);
  const answer = (answered: Answered) => parentPort?.postMessage(answered);
  parentPort?.on("message", (asked: AskedAction) => void attempt(actions, asked).then(answer));
  answer({ names: [...actions.functions.keys()] });
}

await serve();
