// Prints the nanoseconds of one unregister(fn) in the middle of as many other
// functions as the argument says.

import { clear, register, unregister } from "atexit";
import { middle } from "./middle.mjs";

middle({
  others: Number(process.argv[2]),
  add() {
    const cleanup = () => {};
    register(cleanup);
    return cleanup;
  },
  take: unregister,
});
clear();
