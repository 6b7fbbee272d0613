// Registers ten cleanups, and ends; by the signal that the argument names, if
// there is one.

import { register } from "atexit";

const signal = process.argv[2];
let ran = 0;

for (let i = 0; i < 10; i++) {
  register(() => {
    ran += 1;
    if (ran === 10) process.stdout.write("ten\n");
  });
}

if (signal !== undefined) {
  setInterval(() => {}, 60_000);
  setImmediate(() => process.kill(process.pid, signal));
}
