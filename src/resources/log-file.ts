// A log file: whole lines, in their order; no line that was written is lost.

import { block } from "../platform/block.ts";
import { type AppendedFile, isOwnOutput, openToAppend, whyPlanted } from "../platform/appended-file.ts";
import { builtin } from "../platform/node-builtins.ts";
import { canListen } from "../platform/signal-list.ts";
import { report } from "../diagnostics/stderr.ts";
import { coreError } from "../errors/core.ts";
import type { Registration } from "../index.ts";
import { resourceError } from "../errors/resources.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { process } from "../platform/process.ts";

/** Options of a log file. */
export interface LogFileOptions {
  /** The last line, written when the file is closed: a text, or a function that returns one. */
  last?: string | (() => string);
  /** The mode of the file, as for `chmod`. 0o600 by default: logs hold what they should not. */
  mode?: number;
  /**
   * A signal at which the file is opened anew, for programs that rotate logs by
   * renaming them: `"SIGHUP"`. This program then listens to that signal, and it
   * ends the process no more. Where that fails, lines go on to where they went, and
   * stderr says so once. By default none.
   */
  reopenOn?: NodeJS.Signals;
}

/** An open log file. */
export interface LogFile extends Disposable, AsyncDisposable {
  /** The path of the file, absolute. */
  readonly path: string;
  /**
   * Appends one line, or several. When this returns the system has them: no end
   * of this process can lose them (a power cut can).
   *
   * @throws an error with the code `ERR_ATEXIT_CLOSED`, or the system's
   */
  write(line: string): void;
  /**
   * Opens the path anew, where it has been renamed or removed.
   *
   * @throws an error with the code `ERR_ATEXIT_CLOSED` or `ERR_ATEXIT_LOG`, or the
   *   system's; lines go on to where they went
   */
  reopen(): void;
  /** Writes the last line, and closes the file; a second call does nothing. */
  close(): void;
}

type Stats = import("node:fs").Stats;

/** How long the reader of a full pipe is waited for, in milliseconds. */
const FULL_PIPE = 5_000;

const fs = builtin("fs");

export class OpenLog implements LogFile {
  readonly path: string;
  readonly #mode: number;
  readonly #last: LogFileOptions["last"];
  readonly #reopenOn: NodeJS.Signals | undefined;
  readonly #registration: Registration<void>;
  #file: AppendedFile;
  #isOpen = true;
  /** Whether the file ends within a line: a full disk takes a part first. */
  #isTorn = false;
  /** Whether it could not be opened anew the last time, and that has been said. */
  #hasFailed = false;

  constructor(callee: Callee, path: unknown, options: LogFileOptions) {
    const { last, mode = 0o600, reopenOn } = options;
    if (typeof path !== "string" || path === "" || path.includes("\0")) {
      throw resourceError("ERR_ATEXIT_OPTION", "The log file", path, 'a path such as "/var/log/app.log"');
    }
    if (last !== undefined && typeof last !== "string" && typeof last !== "function") {
      throw resourceError("ERR_ATEXIT_OPTION", "last", last, "a string, or a function that returns one");
    }
    if (reopenOn !== undefined && !canListen(reopenOn)) throw coreError("ERR_ATEXIT_SIGNAL", reopenOn);
    this.path = builtin("path").resolve(path);
    this.#mode = mode;
    this.#last = last;
    this.#file = this.#open();
    this.#reopenOn = reopenOn;
    this.#registration = registerForCaller(callee, { name: `close ${this.path}` }, () => this.#close());
    if (reopenOn !== undefined) process.on(reopenOn, this.#reopened);
  }

  write(line: string): void {
    if (!this.#isOpen) throw resourceError("ERR_ATEXIT_CLOSED", `The log file ${this.path}`);
    const whole = line.endsWith("\n") ? line : `${line}\n`;
    const bytes = Buffer.from(this.#isTorn ? `\n${whole}` : whole);
    let written = 0;
    try {
      // One call writes the whole line: lines of other processes come before or after it.
      while (written < bytes.length) written += this.#writeSome(bytes, written);
    } finally {
      if (written > 0) this.#isTorn = written < bytes.length;
    }
  }

  /** Waits for the reader of a pipe, as a write to one does; not for ever. */
  #writeSome(bytes: Buffer, from: number): number {
    for (let waited = 0; ; waited += 1) {
      try {
        return fs.writeSync(this.#file.fd, bytes, from);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || waited >= FULL_PIPE) throw error;
        block(1);
      }
    }
  }

  reopen(): void {
    if (!this.#isOpen) throw resourceError("ERR_ATEXIT_CLOSED", `The log file ${this.path}`);
    const before = this.#file;
    this.#file = this.#open();
    this.#isTorn = false;
    this.#hasFailed = false;
    close(before);
  }

  close(): void {
    this.#registration.run();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** A program goes on without what its administrator has asked for, and goes on logging. */
  readonly #reopened = (): void => {
    try {
      this.reopen();
    } catch (error) {
      if (!this.#hasFailed) {
        const why = (error as Error).message;
        report(`the log could not be opened anew on ${this.#reopenOn}, and goes on where it was: ${why}`);
      }
      this.#hasFailed = true;
    }
  };

  #open(): AppendedFile {
    fs.mkdirSync(builtin("path").dirname(this.path), { recursive: true });
    const found = openToAppend(this.path, this.#mode);
    const why = "why" in found ? found.why : whyNoLog(this.path, found.stats);
    if (why === undefined) return found as AppendedFile;
    if ("fd" in found) close(found);
    throw resourceError("ERR_ATEXIT_LOG", this.path, why);
  }

  #close(): void {
    try {
      const last = typeof this.#last === "function" ? this.#last() : this.#last;
      if (last !== undefined) this.write(last);
    } finally {
      this.#isOpen = false;
      if (this.#reopenOn !== undefined) process.off(this.#reopenOn, this.#reopened);
      close(this.#file);
    }
  }
}

/** Returns why lines are not written to what is at a log's path, or `undefined`. */
function whyNoLog(path: string, stats: Stats): string | undefined {
  if (stats.isFile()) return whyPlanted(path, stats);
  if (stats.isCharacterDevice()) return undefined; // a terminal, /dev/null
  if (isOwnOutput(stats)) return undefined;
  return stats.isFIFO() ? "it is a named pipe, whose reader could hold this program up" : "it is no file";
}

function close({ fd, isOutput = false }: AppendedFile): void {
  if (!isOutput) fs.closeSync(fd);
}
