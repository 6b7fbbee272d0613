// Registers ten cleanups, and ends; by the signal that the argument names, if
// there is one.

import { onExit } from "signal-exit";

const signal = process.argv[2];
let ran = 0;

for (let i = 0; i < 10; i++) {
  onExit(() => {
    ran += 1;
    if (ran === 10) process.stdout.write("ten\n");
  });
}

if (signal !== undefined) {
  setInterval(() => {}, 60_000);
  setImmediate(() => process.kill(process.pid, signal));
}
