// Pushes a closure with two arguments a million times, and prints the
// nanoseconds for one.

const COUNT = 1_000_000;
const cleanup = (_number, _text) => {};
const closures = [];
const push = (fn, number, text) => closures.push(() => fn(number, text));

const start = process.hrtime.bigint();
for (let i = 0; i < COUNT; i++) push(cleanup, i, "text");
console.log(Number(process.hrtime.bigint() - start) / COUNT);
closures.length = 0;
