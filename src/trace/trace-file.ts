// A trace on disk, to which several processes may append: each step is one
// write(2), and stays when its process is killed.

import { builtin } from "../platform/node-builtins.ts";
import type { TraceRecord } from "./trace-event.ts";

const fs = builtin("fs");

export class TraceFile {
  readonly #path: string;
  readonly #flags: number;
  #fd: number | undefined;

  /** @param isForeign whether another process has named it: no link is followed then */
  constructor(path: string, isForeign: boolean) {
    const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_WRONLY } = fs.constants;
    this.#path = path;
    this.#flags = O_WRONLY | O_APPEND | O_CREAT | (isForeign ? O_NOFOLLOW : 0);
  }

  /** @throws the system's error */
  write(records: readonly TraceRecord[]): void {
    this.#fd ??= this.#open();
    const text = Buffer.from(records.map((record) => `${JSON.stringify(record)},\n`).join(""));
    for (let written = 0; written < text.length;) written += fs.writeSync(this.#fd, text, written);
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Opens the file. The process that makes it writes its first line, with which it appears. */
  #open(): number {
    if (!fs.existsSync(this.#path)) {
      fs.mkdirSync(builtin("path").dirname(this.#path), { recursive: true });
      const beginning = `${this.#path}.${process.pid}.new`;
      try {
        fs.writeFileSync(beginning, "[\n", { mode: 0o600 });
        fs.linkSync(beginning, this.#path);
      } catch (error) {
        // Another process was first; or the file system has no links, and Perfetto does without the bracket.
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "EEXIST" && code !== "EPERM" && code !== "ENOTSUP") throw error;
      } finally {
        fs.rmSync(beginning, { force: true });
      }
    }
    return fs.openSync(this.#path, this.#flags, 0o600);
  }
}
