// The open file of a journal, as its owner has it.

import { builtin } from "../../platform/node-builtins.ts";

type Stats = import("node:fs").Stats;

const fs = builtin("fs");
const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;

export class JournalFile {
  readonly path: string;
  /**
   * Whether the descriptor may write. Root's may not: whoever takes over a process
   * that has dropped its privileges could write root's orders with it.
   */
  readonly #isWritable: boolean;
  #fd: number;
  /** What the descriptor must lead to: a program may close all that it knows nothing of, and open its own. */
  #inode: { readonly dev: number; readonly ino: number };

  /** @throws the system's error where it cannot be made */
  constructor(path: string, isWritable: boolean) {
    this.path = path;
    this.#isWritable = isWritable;
    this.#fd = this.#made();
    this.#inode = fs.fstatSync(this.#fd);
  }

  /** The descriptor; a guard inherits it for the kernel's lock. */
  get fd(): number {
    this.stats();
    return this.#fd;
  }

  /**
   * Returns the state of the file. A descriptor that has become another file's, or
   * nobody's, is left to that one, and the journal is opened once more.
   *
   * @throws the system's error where it is gone, and so is the descriptor
   */
  stats(): Stats {
    const stats = this.#ownStats();
    if (stats !== undefined) return stats;
    this.#fd = fs.openSync(this.path, (this.#isWritable ? O_RDWR | O_APPEND : O_RDONLY) | O_NOFOLLOW);
    this.#inode = fs.fstatSync(this.#fd);
    return fs.fstatSync(this.#fd);
  }

  /**
   * Calls a function with a descriptor to write with.
   *
   * @param isLooked whether stats() was called just before
   */
  write<R>(write: (fd: number) => R, isLooked = false): R {
    if (this.#isWritable) return write(isLooked ? this.#fd : this.fd);
    const fd = fs.openSync(this.path, O_WRONLY | O_APPEND | O_NOFOLLOW);
    try {
      return write(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Makes the file anew. The old descriptor is closed only then: its number would soon be another file's. */
  makeAnew(): void {
    const before = this.#ownStats() && this.#fd;
    this.#fd = this.#made();
    this.#inode = fs.fstatSync(this.#fd);
    if (before !== undefined) fs.closeSync(before);
  }

  close(): void {
    if (this.#ownStats() !== undefined) fs.closeSync(this.#fd);
  }

  #made(): number {
    const fd = fs.openSync(this.path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0o600);
    if (this.#isWritable) return fd;
    try {
      return fs.openSync(this.path, O_RDONLY | O_NOFOLLOW);
    } finally {
      fs.closeSync(fd);
    }
  }

  #ownStats(): Stats | undefined {
    try {
      const stats = fs.fstatSync(this.#fd);
      return stats.ino === this.#inode.ino && stats.dev === this.#inode.dev ? stats : undefined;
    } catch {
      return undefined;
    }
  }
}
