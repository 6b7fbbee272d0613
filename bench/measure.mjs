// Pairs of samples, taken in turn (A B, B A, A B ...), so that what else the
// machine does meets both alike; and the median of the ratios of the pairs.

import { spawnSync } from "node:child_process";

// Node 20 reads the certificates at each start: 100 ms for those of a system, which would hide what is measured.
delete process.env.NODE_EXTRA_CA_CERTS;

/**
 * Takes samples of two ways of doing the same.
 *
 * @param {number} rounds how many pairs
 * @param {() => number} ours
 * @param {() => number} theirs
 */
export function compare(rounds, ours, theirs) {
  ours(); // the first of each fills the disk cache
  theirs();
  const pairs = Array.from({ length: rounds }, (_, round) => {
    if (round % 2 === 0) return { ours: ours(), theirs: theirs() };
    const second = theirs();
    return { ours: ours(), theirs: second };
  });
  const ratios = pairs.map((pair) => pair.ours / pair.theirs);
  return {
    rounds,
    ours: median(pairs.map((pair) => pair.ours)),
    theirs: median(pairs.map((pair) => pair.theirs)),
    ratio: median(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
  };
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs a program that measures itself, and returns the number that it prints. */
export function printed(command, args) {
  const { stdout, stderr } = ended(command, args);
  const number = Number.parseFloat(stdout);
  if (Number.isNaN(number)) throw new Error(`${args.join(" ")} printed no number:\n${stdout}${stderr}`);
  return number;
}

/** Milliseconds from the time that a process prints (of process.hrtime) to its end. */
export function sincePrinted(command, args) {
  const { stdout, stderr, status } = ended(command, args);
  const end = process.hrtime.bigint();
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}:\n${stderr}`);
  return Number(end - BigInt(stdout)) / 1e6;
}

/** Milliseconds from the start of a process to its end, which must be the expected one. */
export function lifetime(command, args, expected) {
  const start = process.hrtime.bigint();
  const { status, signal, stderr } = ended(command, args);
  const took = Number(process.hrtime.bigint() - start) / 1e6;
  if ((signal ?? status) !== expected) throw new Error(`${args.join(" ")} ended with ${signal ?? status}:\n${stderr}`);
  return took;
}

function ended(command, args) {
  const result = spawnSync(command, args, { encoding: "utf8" });
  if (result.error !== undefined) throw result.error;
  return result;
}
