// A million cleanups, from the first registration to the last one's end at
// exit, beside the module whose shape this package has.

import { spawnSync } from "node:child_process";
import { printed } from "./measure.mjs";

export const million = {
  name: "million",
  what: "a million registrations, and their run at exit",
  peer: "CPython's atexit",
  unit: "ms",
  lessThan: 1,
  rounds: 9,
  missing: () => (spawnSync("python3", ["--version"]).status === 0 ? undefined : "there is no python3"),
  ours: ({ node, program }) => printed(node, [program("million-run.mjs")]),
  theirs: ({ program }) => printed("python3", [program("million-run.py")]),
};
