// A descriptor that this package has opened, and that a program may have closed since: it
// may close all that it knows nothing of, and its own next file has the number then.

import { builtin } from "./node-builtins.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");

export class OwnDescriptor {
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;

  constructor(fd: number) {
    this.fd = fd;
    ({ dev: this.dev, ino: this.ino } = fs.fstatSync(fd));
  }

  /** Returns the state of the file; `undefined` where the descriptor has become another file's, or nobody's. */
  stats(): Stats | undefined {
    try {
      const stats = fs.fstatSync(this.fd);
      return stats.dev === this.dev && stats.ino === this.ino ? stats : undefined;
    } catch {
      return undefined;
    }
  }

  /** Closes it, unless it is another file's by now. */
  close(): void {
    if (this.stats() !== undefined) fs.closeSync(this.fd);
  }
}
