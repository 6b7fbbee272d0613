// Standard error, as this package writes it: past process.stderr, which may be
// closed, replaced, or not yet open.

import { block } from "../platform/block.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { systemExits } from "../platform/this-system.ts";
import { printableLines } from "../platform/printable.ts";

/** How often a full pipe is asked again, 1 ms apart, before the rest is given up. */
const FULL_PIPE_TRIES = 500;

/** The same for messages: once, when one was given up. */
let patience = FULL_PIPE_TRIES;

/** Writes to file descriptor 2, whole and at once. Never throws: nothing stops for want of a report. */
export function writeError(text: string, fd = 2, most = FULL_PIPE_TRIES): void {
  try {
    // The C library, as Node's own reports go by it, knows the console's letters, and how a line ends here.
    const print =
      systemExits.hasTextStreams === true
        ? (process as { _rawDebug?: (format: string, text: string) => void })._rawDebug
        : undefined;
    if (print !== undefined) return print("%s", text.replace(/\n$/, ""));
    const bytes = Buffer.from(text);
    for (let written = 0, left = most; written < bytes.length && left > 0;) {
      try {
        written += builtin("fs").writeSync(fd, bytes, written);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return; // the reader is gone
        left -= 1;
        if (left > 0) block(1);
        else patience = 1;
      }
    }
  } catch {
    // The program has replaced what this stands on.
  }
}

/** Writes what this package has to say, which holds nothing up: nobody may be reading, or Ctrl-S has stopped the terminal. */
export function writeMessage(text: string): void {
  let fd: number | undefined;
  try {
    fd = systemExits.openStderr?.();
    writeError(text, fd, patience);
    if (fd !== undefined) builtin("fs").closeSync(fd);
  } catch {
    // It is closed, may not be opened by this user, or there is no /proc.
    if (fd === undefined) writeError(text);
  }
}

/** Writes one message of this package; each begins with its name. Parts of it may come from files. */
export function report(message: string): void {
  writeMessage(`atexit: ${printableLines(message)}\n`);
}
