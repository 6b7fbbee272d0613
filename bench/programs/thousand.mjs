// Shuts down with a thousand cleanups of the package that is named. Prints when
// that began, in nanoseconds on the system's monotonic clock.

import { writeSync } from "node:fs";

const [name, kind] = process.argv.slice(2);
const { register } = await import(name);
const cleanup = kind === "async" ? async () => {} : () => {};

for (let count = 0; count < 1_000; count += 1) register(cleanup);
writeSync(1, String(process.hrtime.bigint()));
process.exit(0);
