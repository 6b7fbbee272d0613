// A program, a module or a working directory that a recipe names: what is there
// when the recipe is carried out must be what was there at its registration, or
// be in a place where no other user can have put it.

import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { type FileIdentity, identityOf, isFileIdentity, isSameFile } from "../../platform/file-identity.ts";
import { whyReplaceable } from "../../platform/trusted-path.ts";

/** Where code is, and what was there at registration, if anything was. */
export interface CodeOnDisk {
  /** Absolute. */
  readonly path: string;
  readonly is?: FileIdentity;
  /** The directory that its path led to: what stands beside it is loaded with it. */
  readonly in?: FileIdentity;
}

const fs = builtin("fs");
const { dirname, isAbsolute } = builtin("path");

export function codeOnDisk(path: string): CodeOnDisk {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  const directory = fs.statSync(dirname(path), { throwIfNoEntry: false });
  if (stats === undefined || directory === undefined) return { path };
  return { path, is: identityOf(stats), in: identityOf(directory) };
}

/** Returns the directory that code stood in, where that is known. */
export function directoryOf({ in: directory }: CodeOnDisk): FileIdentity[] {
  return directory === undefined ? [] : [directory];
}

/** Returns what was there, where that is known. */
export function itself({ is }: CodeOnDisk): FileIdentity[] {
  return is === undefined ? [] : [is];
}

export function isCodeOnDisk(value: unknown): value is CodeOnDisk {
  if (typeof value !== "object" || value === null) return false;
  const { path, is, in: directory } = value as { [K in keyof CodeOnDisk]: unknown };
  const isPath = typeof path === "string" && isAbsolute(path) && !path.includes("\0");
  return isPath && [is, directory].every((identity) => identity === undefined || isFileIdentity(identity));
}

/**
 * @param what its name in an error
 * @throws an error with the code `ERR_ATEXIT_REPLACED` where another user can have put something else there
 */
export function assertStillMeant(code: CodeOnDisk, what: string, sameDevices: boolean): void {
  const { path } = code;
  const isSame = (at: string, identity: FileIdentity | undefined) =>
    identity !== undefined && isSameFile(fs.statSync(at), at, identity, sameDevices);
  if (!fs.existsSync(path)) throw durableError("ERR_ATEXIT_REPLACED", what, `${path} is not there any more`);
  if (isSame(path, code.is) && isSame(dirname(path), code.in)) return;
  const why = whyReplaceable(path);
  if (why !== undefined)
    throw durableError("ERR_ATEXIT_REPLACED", what, `${path} is not what was registered, and ${why}`);
}
