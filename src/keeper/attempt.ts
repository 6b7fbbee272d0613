// Carries one action out in this thread, and tells what has come of it.

import { type AskedAction, carryOut, type KnownActions, RefusedError } from "./actions.ts";
import type { Attempted } from "./owner-run.ts";

/** Never rejects. */
export async function attempt(known: KnownActions, asked: AskedAction): Promise<Attempted> {
  try {
    await carryOut(known, asked);
    return { outcome: "done" };
  } catch (error) {
    const outcome = error instanceof RefusedError ? "refused" : "failed";
    return { outcome, error: error instanceof Error ? error.message : String(error) };
  }
}
