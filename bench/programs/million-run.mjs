// Registers a million functions, and prints how long that and their run at
// exit took together, in milliseconds.

import { register } from "atexit";

const COUNT = 1_000_000;
let ran = 0;
let start = 0n;

register(() => {
  if (ran !== COUNT) throw new Error(`${ran} ran`);
  console.log(Number(process.hrtime.bigint() - start) / 1e6);
});
start = process.hrtime.bigint();
for (let i = 0; i < COUNT; i++) {
  register(() => {
    ran += 1;
  });
}
