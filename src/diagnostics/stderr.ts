// Standard error, as this package writes it: past process.stderr, which may be
// closed, replaced, or not yet open.

import { block } from "../platform/block.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { systemExits } from "../platform/this-system.ts";
import { printableLines } from "../platform/printable.ts";

/** How often a full pipe is asked again, 1 ms apart, before the rest is given up. */
const FULL_PIPE_TRIES = 500;

/** Writes to file descriptor 2, whole and at once. Never throws: nothing stops for want of a report. */
export function writeError(text: string): void {
  try {
    // The C library, as Node's own reports go by it, knows the console's letters, and how a line ends here.
    const print =
      systemExits.hasTextStreams === true
        ? (process as { _rawDebug?: (format: string, text: string) => void })._rawDebug
        : undefined;
    if (print !== undefined) {
      print("%s", text.replace(/\n$/, ""));
      return;
    }
    const bytes = Buffer.from(text);
    for (let written = 0, tries = 0; written < bytes.length && tries < FULL_PIPE_TRIES;) {
      try {
        written += builtin("fs").writeSync(2, bytes, written);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return; // the reader is gone
        tries += 1;
        block(1);
      }
    }
  } catch {
    // The program has replaced what this stands on.
  }
}

/** Writes one message of this package; each begins with its name. Parts of it may come from files. */
export function report(message: string): void {
  writeError(`atexit: ${printableLines(message)}\n`);
}
