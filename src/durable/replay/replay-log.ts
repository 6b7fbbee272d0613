// The log of replays, one JSON object a line, beside the journals: for the next
// start, and for operators. It is bounded: the older half goes when it grows.

import { builtin } from "../../platform/node-builtins.ts";
import type { Replayed } from "./replayed.ts";

/** The size at which a log becomes the old one, in bytes. */
const LONG = 512 * 1024;

const LOG = "log.jsonl";
const OLD_LOG = "log.old.jsonl";

const fs = builtin("fs");

/** Appends an entry, and publishes it on the channel `atexit:replay`. A log that cannot be written stops nothing. */
export function appendToLog(directory: string, entry: Replayed): void {
  const { join } = builtin("path");
  const path = join(directory, LOG);
  try {
    const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_WRONLY } = fs.constants;
    const fd = fs.openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
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

/** Returns the entries of the log, oldest first. */
export function readLog(directory: string): Replayed[] {
  return [OLD_LOG, LOG].flatMap((name) => {
    try {
      const lines = fs.readFileSync(builtin("path").join(directory, name), "utf8").split("\n");
      return lines.flatMap((line) => parsed(line) ?? []);
    } catch {
      return [];
    }
  });
}

function parsed(line: string): Replayed | undefined {
  try {
    return line === "" ? undefined : (JSON.parse(line) as Replayed);
  } catch {
    return undefined;
  }
}
