// Registers a function with two arguments a million times, and prints the
// nanoseconds for one.

import { clear, register } from "atexit";

const COUNT = 1_000_000;
const cleanup = (_number, _text) => {};

const start = process.hrtime.bigint();
for (let i = 0; i < COUNT; i++) register(cleanup, i, "text");
console.log(Number(process.hrtime.bigint() - start) / COUNT);
clear();
