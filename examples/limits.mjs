// Where no JavaScript can run any more, no cleanup can: try `limits.mjs
// reallyExit`, `limits.mjs SIGKILL` and `limits.mjs abort`.

import { register } from "atexit";

register(() => console.log("Cleanup ran!"));

switch (process.argv[2]) {
  case "reallyExit":
    console.log("Leaving past Node.js, by its internal function.");
    process.reallyExit(0);
    break;
  case "SIGKILL":
    console.log("Killed by the system.");
    process.kill(process.pid, "SIGKILL");
    break;
  case "abort":
    console.log("Crashing.");
    process.abort();
    break;
  default:
    console.log("Program ending normally. atexit will run.");
}
