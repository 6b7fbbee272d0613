// Taking a cleanup out of the middle of the stack must not cost more because
// others are there, save for memory that no longer fits the processor's caches.

import { printed } from "./measure.mjs";

const FEW = 10;
const MANY = 100_000;

const removal = (name, what, program, atMost) => ({
  name,
  what: `${what} with ${MANY.toLocaleString("en")} others`,
  peer: `the same with ${FEW}`,
  unit: "ns",
  atMost,
  rounds: 15,
  ours: (at) => printed(at.node, [at.program(program), String(MANY)]),
  theirs: (at) => printed(at.node, [at.program(program), String(FEW)]),
});

export const cancel = removal("cancel", "handle.cancel()", "cancel.mjs", 1.5);

/** Looked up in a Map, which of that size is itself twice as slow; a search would be a thousand times. */
export const unregister = removal("unregister", "unregister(fn)", "unregister.mjs", 4);
