// All that happens when cleanups run: loaded with the first that does.

import { isFailure, isSystemExit } from "./exit.js";
import { Exits } from "./exits/exits.js";
import { isPromise, run, runAll } from "./running.js";

const all = { Exits, isFailure, isPromise, isSystemExit, run, runAll };

export default function ending(): typeof all {
  return all;
}
