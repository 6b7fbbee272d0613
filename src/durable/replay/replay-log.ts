// The log of replays, one JSON object a line, beside the journals: for the next
// start, and for operators. It is bounded: the older half goes when it grows.

import { builtin } from "../../platform/node-builtins.ts";
import { openRegularFile } from "../../platform/regular-file.ts";
import { parsedEntry } from "./replay-log-entry.ts";
import type { Replayed } from "./replayed.ts";

/** The size at which a log becomes the old one, in bytes. */
const LONG = 512 * 1024;

/** How much of a log is read, in bytes: its end. Longer than LONG it is only by its last entry. */
const LONGEST_READ = 4 * LONG;

const LOG = "log.jsonl";
const OLD_LOG = "log.old.jsonl";

const fs = builtin("fs");

/** Appends an entry, and publishes it on the channel `atexit:replay`. A log that cannot be written stops nothing. */
export function appendToLog(directory: string, entry: Replayed): void {
  const { join } = builtin("path");
  const path = join(directory, LOG);
  try {
    const { O_APPEND, O_CREAT, O_WRONLY } = fs.constants;
    const { fd } = openRegularFile(path, O_WRONLY | O_APPEND | O_CREAT, 0o600);
    try {
      fs.writeSync(fd, `${JSON.stringify(entry)}\n`);
      if (fs.fstatSync(fd).size > LONG) fs.renameSync(path, join(directory, OLD_LOG));
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // The disk is full, most likely, and then it helps to go on removing things.
  }
  builtin("diagnostics_channel").channel("atexit:replay").publish(entry);
}

/** Returns the entries of the log, oldest first. Lines that are none are left out. */
export function readLog(directory: string): Replayed[] {
  return [OLD_LOG, LOG].flatMap((name) => {
    try {
      const lines = endOf(builtin("path").join(directory, name)).split("\n");
      return lines.flatMap((line) => parsedEntry(line) ?? []);
    } catch {
      return [];
    }
  });
}

/** Returns the end of a file. Its first line may be torn. */
function endOf(path: string): string {
  const { fd, stats } = openRegularFile(path, fs.constants.O_RDONLY);
  try {
    const buffer = Buffer.alloc(Math.min(stats.size, LONGEST_READ));
    const length = fs.readSync(fd, buffer, 0, buffer.length, stats.size - buffer.length);
    return buffer.toString("utf8", 0, length);
  } finally {
    fs.closeSync(fd);
  }
}
