// The open file of a journal, as its owner has it.

import { builtin } from "../../platform/node-builtins.ts";
import { OwnDescriptor } from "../../platform/own-descriptor.ts";
import { system } from "../../platform/this-system.ts";

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
  #open: OwnDescriptor;

  /** @throws the system's error where it cannot be made */
  constructor(path: string, isWritable: boolean) {
    this.path = path;
    this.#isWritable = isWritable;
    this.#open = new OwnDescriptor(this.#made());
  }

  /** The descriptor; a guard inherits it for the kernel's lock. */
  get fd(): number {
    this.stats();
    return this.#open.fd;
  }

  /**
   * Returns the state of the file. A descriptor that has become another file's, or
   * nobody's, is left to that one, and the journal is opened once more.
   *
   * @throws the system's error where it is gone, and so is the descriptor
   */
  stats(): Stats {
    const stats = this.#open.stats();
    if (stats !== undefined) return stats;
    const flags = this.#isWritable ? O_RDWR | O_APPEND : O_RDONLY;
    this.#open = new OwnDescriptor(fs.openSync(this.path, flags | O_NOFOLLOW));
    return fs.fstatSync(this.#open.fd);
  }

  /**
   * Calls a function with a descriptor to write with.
   *
   * @param isLooked whether stats() was called just before
   */
  write<R>(write: (fd: number) => R, isLooked = false): R {
    if (this.#isWritable) return write(isLooked ? this.#open.fd : this.fd);
    const fd = fs.openSync(this.path, O_WRONLY | O_APPEND | O_NOFOLLOW);
    try {
      return write(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  /**
   * Empties the file. On Windows a descriptor that appends may not: the file is
   * opened once more for that.
   *
   * @throws the system's error
   */
  truncate(): void {
    if (system.canTruncateAppended) {
      this.write((fd) => fs.ftruncateSync(fd, 0));
      return;
    }
    const fd = fs.openSync(this.path, O_RDWR);
    try {
      fs.ftruncateSync(fd, 0);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Makes the file anew. The old descriptor is closed only then: its number would soon be another file's. */
  makeAnew(): void {
    const before = this.#open;
    this.#open = new OwnDescriptor(this.#made());
    before.close();
  }

  close(): void {
    this.#open.close();
  }

  #made(): number {
    const fd = fs.openSync(this.path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0o600);
    if (this.#isWritable) return fd;
    try {
      return fs.openSync(this.path, O_RDONLY | O_NOFOLLOW);
    } catch (error) {
      fs.unlinkSync(this.path); // no descriptor is left, and the empty file would be
      throw error;
    } finally {
      fs.closeSync(fd);
    }
  }
}
