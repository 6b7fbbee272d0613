// What a program pays before its first cleanup is registered.

import { printed } from "./measure.mjs";

export const startUp = {
  name: "start-up",
  what: "import and first registration, in a fresh process",
  peer: "signal-exit 4",
  unit: "ms",
  atMost: 1.3,
  rounds: 41,
  ours: ({ node, program }) => printed(node, [program("start-up-atexit.mjs")]),
  theirs: ({ node, program }) => printed(node, [program("start-up-signal-exit.mjs")]),
};

export const startUpCommonJs = {
  ...startUp,
  name: "start-up-cjs",
  what: "require() and first registration, in a fresh process",
  ours: ({ node, program }) => printed(node, [program("start-up-atexit.cjs")]),
  theirs: ({ node, program }) => printed(node, [program("start-up-signal-exit.cjs")]),
};
