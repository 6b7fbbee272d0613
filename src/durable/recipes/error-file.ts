// What a command writes on its standard error, where it may outlive this process: a
// pipe that nobody reads any more would end it by SIGPIPE. A file without a name.

import { builtin } from "../../platform/node-builtins.ts";

const fs = builtin("fs");

/** How many bytes a character takes at most in UTF-8, for a part of a string's length. */
const BYTES = 3;

export class ErrorFile {
  readonly fd: number;
  #isOpen = true;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Returns `undefined` where there is no room for a temporary file. */
  static open(): ErrorFile | undefined {
    const name = `atexit-${builtin("crypto").randomUUID()}`;
    const path = builtin("path").join(builtin("os").tmpdir(), name);
    const { O_APPEND, O_CREAT, O_EXCL, O_RDWR } = fs.constants;
    try {
      const fd = fs.openSync(path, O_APPEND | O_CREAT | O_EXCL | O_RDWR, 0o600);
      fs.unlinkSync(path);
      return new ErrorFile(fd);
    } catch {
      return undefined;
    }
  }

  /** Closes the file, and returns what was written last, at most so many characters; nothing at a second call. */
  close(most: number): string {
    if (!this.#isOpen) return "";
    this.#isOpen = false;
    try {
      const { size } = fs.fstatSync(this.fd);
      const end = Buffer.alloc(Math.min(size, most * BYTES));
      const length = fs.readSync(this.fd, end, 0, end.length, size - end.length);
      return end.toString("utf8", 0, length).slice(-most);
    } catch {
      return "";
    } finally {
      fs.closeSync(this.fd);
    }
  }
}
