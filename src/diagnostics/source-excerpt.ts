// The line of source and the caret above an uncaught error's stack. Node has
// the place of the `throw`; JavaScript has the place where the error was made.
// Where the two may differ nothing is shown: an excerpt is never made up.

import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";

interface Place {
  file: string;
  line: number;
  column: number;
}

const FRAME = /^\s+at (?:.*? \()?((?:file:\/\/)?\/.*?):(\d+):(\d+)\)?$/;

/** `file:line`, the line, and a caret under the place; or `undefined` where that is not certain. */
export function sourceExcerpt(
  error: unknown,
  stack: string,
  kind: "uncaughtException" | "unhandledRejection",
): string | undefined {
  try {
    return certainExcerpt(error as Error, stack, kind);
  } catch {
    return undefined; // the source cannot be read
  }
}

function certainExcerpt(error: Error, stack: string, kind: string): string | undefined {
  if (process.sourceMapsEnabled || !builtin("util").types.isNativeError(error)) return undefined;
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const top = frames[0] === undefined ? undefined : placeOf(frames[0]);
  if (top === undefined) return undefined;
  const source = sourceOf(top.file)?.split("\n")[top.line - 1];
  if (source === undefined) return undefined;
  // For a rejection Node, too, goes by where the error was made.
  const column = kind === "unhandledRejection" ? top.column : thrownAt(error, source, top.column, frames);
  if (column === undefined) return undefined;
  const indent = source.slice(0, column - 1).replace(/[^\t]/g, " ");
  return `${top.file}:${top.line}\n${source}\n${indent}^\n`;
}

/** The column that was thrown from, if it was this line that threw, and for the last time. */
function thrownAt(error: Error, source: string, column: number, frames: readonly string[]): number | undefined {
  if (mayHaveBeenCaught(frames)) return undefined;
  const made = source.slice(0, column - 1);
  const thrown = /\bthrow\s+$/.exec(made);
  if (thrown !== null) return thrown.index + 1;
  return isRaisedByEngine(error, source.slice(column - 1)) ? column : undefined;
}

/** How V8 begins, or ends, the messages of the errors that it makes and throws by itself. */
const ENGINES_MESSAGE =
  /^(Cannot |Assignment to constant|Maximum call stack|Class constructor |Private field )|( is not (a function|a constructor|defined|iterable|extensible)|before initialization)\b/;

/** V8's own errors are thrown where they are made; a program that makes one may throw it elsewhere. */
function isRaisedByEngine(error: Error, source: string): boolean {
  const classes = [TypeError, ReferenceError, RangeError];
  return (
    classes.some(({ prototype }) => Object.getPrototypeOf(error) === prototype) &&
    ENGINES_MESSAGE.test(error.message) &&
    !/^(new\s+)?[\w$.]*Error\b/.test(source)
  );
}

/** An error that was caught and thrown again comes from another place, which only V8 knows. */
function mayHaveBeenCaught(frames: readonly string[]): boolean {
  if (frames.length >= Error.stackTraceLimit) return true; // there are more frames than can be seen
  return frames.some((frame) => {
    if (/\(?node:/.test(frame)) return false;
    const place = placeOf(frame);
    return place === undefined || /\bcatch\b/.test(sourceOf(place.file) ?? "catch");
  });
}

function placeOf(frame: string): Place | undefined {
  const [, file, line, column] = FRAME.exec(frame) ?? [];
  return file === undefined ? undefined : { file, line: Number(line), column: Number(column) };
}

/** The file as it was when the program started, or `undefined` where it has changed since. */
function sourceOf(file: string): string | undefined {
  const { readFileSync, statSync } = builtin("fs");
  const path = file.startsWith("file://") ? new URL(file) : file;
  const startedAt = Date.now() - process.uptime() * 1000;
  return statSync(path).mtimeMs > startedAt ? undefined : readFileSync(path, "utf8");
}
