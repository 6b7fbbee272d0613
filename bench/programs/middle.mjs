// Takes cleanups out of the middle of the stack, over and over, with the same
// number of others below and above.

/** So many are taken out between two looks at the clock. */
const BATCH = 10;

const BATCHES = 20_000;

/** The first ones meet code that is not compiled yet. */
const WARM_UP = 5_000;

/** Prints the median nanoseconds of one `take`. */
export function middle({ others, add, take }) {
  for (let i = 0; i < others / 2; i++) add();
  const above = Array.from({ length: others / 2 }, add);
  const samples = new Float64Array(BATCHES - WARM_UP);
  for (let batch = 0, oldest = 0; batch < BATCHES; batch++) {
    const taken = [];
    for (let i = 0; i < BATCH; i++) {
      taken.push(above[oldest]);
      above[oldest] = add();
      oldest = (oldest + 1) % above.length;
    }
    const start = process.hrtime.bigint();
    for (const one of taken) take(one);
    const took = process.hrtime.bigint() - start;
    if (batch >= WARM_UP) samples[batch - WARM_UP] = Number(took);
  }
  samples.sort();
  console.log(samples[samples.length >> 1] / BATCH);
}
