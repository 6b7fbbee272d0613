// Prints the nanoseconds of one handle.cancel() in the middle of as many others
// as the argument says.

import { clear, register } from "atexit";
import { middle } from "./middle.mjs";

const cleanup = () => {};

middle({
  others: Number(process.argv[2]),
  add: () => register(cleanup),
  take: (handle) => handle.cancel(),
});
clear();
