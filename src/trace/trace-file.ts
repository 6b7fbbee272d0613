// A trace on disk, to which several processes may append: each step is one
// write(2), and stays when its process is killed.

import { builtin } from "../platform/node-builtins.ts";
import { openRegularFile } from "../platform/regular-file.ts";
import type { TraceRecord } from "./trace-event.ts";
import { process } from "../platform/process.ts";

const fs = builtin("fs");

export class TraceFile {
  readonly #path: string;
  readonly #isForeign: boolean;
  #fd: number | undefined;

  /** @param isForeign whether another process has named it: no link is followed then */
  constructor(path: string, isForeign: boolean) {
    this.#path = path;
    this.#isForeign = isForeign;
  }

  /** @throws the system's error, also where something else than a regular file is at its path */
  write(records: readonly TraceRecord[]): void {
    this.#fd ??= this.#open();
    const text = Buffer.from(records.map((record) => `${JSON.stringify(record)},\n`).join(""));
    for (let written = 0; written < text.length;) written += fs.writeSync(this.#fd, text, written);
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    const path = this.#isForeign ? this.#path : withoutOwnLink(this.#path);
    const { O_APPEND, O_CREAT, O_WRONLY } = fs.constants;
    if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) begin(path);
    const { fd, stats } = openRegularFile(path, O_WRONLY | O_APPEND | O_CREAT, 0o600);
    if (isOwnOrRoots(stats)) return fd;
    fs.closeSync(fd);
    throw new Error(`EPERM: ${path} belongs to another user (uid ${stats.uid})`);
  }
}

/** Returns where a link leads that this user has made himself. Another user's link is not followed. */
function withoutOwnLink(path: string): string {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  const isOwn = stats !== undefined && stats.uid === (process.geteuid?.() ?? stats.uid);
  return isOwn && stats.isSymbolicLink() ? fs.realpathSync(path) : path;
}

/** Another user's file may have been put there for this one to write to. */
function isOwnOrRoots({ uid }: import("node:fs").Stats): boolean {
  return uid === 0 || uid === (process.geteuid?.() ?? uid);
}

/** Makes the file with its first line, with which it appears. */
function begin(path: string): void {
  fs.mkdirSync(builtin("path").dirname(path), { recursive: true });
  const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants;
  // Others may write into the directory: so nobody can foretell the name.
  const beginning = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}.new`;
  const { fd } = openRegularFile(beginning, O_WRONLY | O_CREAT | O_EXCL, 0o600);
  try {
    fs.writeSync(fd, "[\n");
    fs.linkSync(beginning, path);
  } catch (error) {
    // Another process was first; or the file system has no links, and Perfetto does without the bracket.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" && code !== "EPERM" && code !== "ENOTSUP") throw error;
  } finally {
    fs.closeSync(fd);
    fs.rmSync(beginning, { force: true });
  }
}
