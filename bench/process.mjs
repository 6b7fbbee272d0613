// The whole life of a process that registers ten synchronous cleanups, from
// spawn to its end.

import { lifetime } from "./measure.mjs";

const life = (name, what, args, end) => ({
  name,
  what: `process with ten cleanups, ${what}`,
  peer: "signal-exit 4",
  unit: "ms",
  atMost: 1,
  rounds: 41,
  ours: ({ node, program }) => lifetime(node, [program("ten-atexit.mjs"), ...args], end),
  theirs: ({ node, program }) => lifetime(node, [program("ten-signal-exit.mjs"), ...args], end),
});

export const naturalEnd = life("natural-end", "natural end", [], 0);
export const sigterm = life("sigterm", "ended by SIGTERM", ["SIGTERM"], "SIGTERM");
