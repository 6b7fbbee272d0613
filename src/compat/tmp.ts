// The API of tmp 0.2: temporary files and directories with callbacks, or at once.
// What is to go at exit goes after SIGKILL, too.
// Source: https://www.npmjs.com/package/tmp

import { remove } from "../durable/index.ts";
import { register, type Registration } from "../index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { tmpNameIn } from "./tmp-name.ts";
import type * as options from "./tmp-options.ts";

// The types are where a program that requires this module finds them: on its value.
declare namespace tmp {
  export type TmpNameOptions = options.TmpNameOptions;
  export type DirOptions = options.DirOptions;
  export type FileOptions = options.FileOptions;
  export interface DirResult {
    name: string;
    removeCallback: () => void;
  }
  export interface FileResult extends DirResult {
    fd: number;
  }
  export type Cleanup = (next?: (error?: Error | null) => void) => void;
  export type NameCallback = (error: Error | null, name: string) => void;
  export type FileCallback = (error: Error | null, name: string, fd: number, cleanup: Cleanup) => void;
  export type DirCallback = (error: Error | null, name: string, cleanup: Cleanup) => void;
}

type AnyCallback = (error: Error | null, ...results: never[]) => void;

const fs = builtin("fs");

/** How each thing is registered that is to go; kept until then, since tmp decides only at exit. */
const temporary = new Map<string, () => Registration<void>>();
let isGraceful = false;

/** Has all that was made, and is made, removed at exit, but for what is kept. */
function setGracefulCleanup(): void {
  if (isGraceful) return;
  isGraceful = true;
  for (const [path, add] of temporary) registrations.set(path, add());
}

const registrations = new Map<string, Registration<void>>();

function removal(path: string, keep: boolean, add: () => Registration<void>, now: () => void): () => void {
  if (!keep) {
    temporary.set(path, add);
    if (isGraceful) registrations.set(path, add());
  }
  let isRemoved = false;
  return () => {
    if (isRemoved) return;
    isRemoved = true;
    temporary.delete(path);
    registrations.get(path)?.cancel();
    registrations.delete(path);
    now();
  };
}

function fileSync(options: tmp.FileOptions = {}): tmp.FileResult {
  const name = tmpNameIn(options);
  const { O_CREAT, O_EXCL, O_RDWR } = fs.constants;
  const fd = fs.openSync(name, O_CREAT | O_EXCL | O_RDWR, options.mode || 0o600);
  const isClosed = options.discardDescriptor === true;
  if (isClosed) fs.closeSync(fd);
  const removeCallback = removal(
    name,
    options.keep === true,
    () => remove(name),
    () => {
      if (!isClosed && options.detachDescriptor !== true) ignoring(["EBADF"], () => fs.closeSync(fd));
      ignoring(["ENOENT"], () => fs.unlinkSync(name));
    },
  );
  return { name, fd: (isClosed ? undefined : fd) as number, removeCallback };
}

function dirSync(options: tmp.DirOptions = {}): tmp.DirResult {
  const name = tmpNameIn(options);
  fs.mkdirSync(name, options.mode || 0o700);
  const isWhole = options.unsafeCleanup === true;
  const removeEmpty = () => ignoring(["ENOTEMPTY", "ENOENT"], () => fs.rmdirSync(name));
  const removeCallback = removal(
    name,
    options.keep === true,
    () => (isWhole ? remove(name) : register({ name: `remove ${name}` }, removeEmpty)),
    () => (isWhole ? fs.rmSync(name, { recursive: true }) : fs.rmdirSync(name)),
  );
  return { name, removeCallback };
}

/** Calls back with what a function returns, or throws, in a turn of its own. */
function calledBack<O, R>(make: (options?: O) => R, spread: (result: R) => unknown[]) {
  return (first?: O | AnyCallback | null, second?: AnyCallback): void => {
    const [options, callback] = typeof first === "function" ? [undefined, first as AnyCallback] : [first, second];
    let results: unknown[];
    try {
      results = [null, ...spread(make(options ?? undefined))];
    } catch (error) {
      results = [error];
    }
    process.nextTick(() => (callback as (...results: unknown[]) => void)(...results));
  };
}

function cleanupOf({ removeCallback }: tmp.DirResult): tmp.Cleanup {
  return (next = () => {}) => {
    try {
      removeCallback();
    } catch (error) {
      return process.nextTick(next, error);
    }
    process.nextTick(next);
  };
}

function ignoring(codes: readonly unknown[], body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!codes.includes((error as NodeJS.ErrnoException).code)) throw error;
  }
}

const tmp = {
  dir: calledBack(dirSync, (made) => [made.name, cleanupOf(made)]) as options.Called<tmp.DirOptions, tmp.DirCallback>,
  dirSync,
  file: calledBack(fileSync, (made) => [made.name, made.fd, cleanupOf(made)]) as options.Called<
    tmp.FileOptions,
    tmp.FileCallback
  >,
  fileSync,
  tmpName: calledBack(tmpNameIn, (name) => [name]) as options.Called<tmp.TmpNameOptions, tmp.NameCallback>,
  tmpNameSync: tmpNameIn,
  setGracefulCleanup,
  /** The directory in which all is made, unless options say otherwise. */
  get tmpdir(): string {
    return fs.realpathSync(builtin("os").tmpdir());
  },
};

export default tmp;
export const { dir, file, tmpName, tmpNameSync } = tmp;
export { dirSync, fileSync, setGracefulCleanup };
