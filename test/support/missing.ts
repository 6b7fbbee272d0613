// What could not be had on this machine: its tests do not run. Whoever runs the
// tests says so at the end, and in CI that is a failure.

import { appendFileSync } from "node:fs";

/**
 * Notes that the tests of something will not run.
 *
 * @returns the reason, for the option `skip`
 */
export function noteMissing(what: string, reason: string): string {
  const notes = process.env["ATEXIT_TESTS_MISSING"]; // see scripts/test.mjs
  if (notes !== undefined) appendFileSync(notes, `${JSON.stringify({ what, reason })}\n`);
  return reason;
}
