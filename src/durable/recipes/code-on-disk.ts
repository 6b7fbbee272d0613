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
}

const fs = builtin("fs");

export function codeOnDisk(path: string): CodeOnDisk {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? { path } : { path, is: identityOf(stats) };
}

export function isCodeOnDisk(value: unknown): value is CodeOnDisk {
  if (typeof value !== "object" || value === null) return false;
  const { path, is } = value as { [K in keyof CodeOnDisk]: unknown };
  const isPath = typeof path === "string" && builtin("path").isAbsolute(path) && !path.includes("\0");
  return isPath && (is === undefined || isFileIdentity(is));
}

/**
 * @param what its name in an error
 * @throws an error with the code `ERR_ATEXIT_REPLACED` where another user can have put something else there
 */
export function assertStillMeant({ path, is }: CodeOnDisk, what: string, sameDevices: boolean): void {
  const stats = fs.statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw durableError("ERR_ATEXIT_REPLACED", what, `${path} is not there any more`);
  if (is !== undefined && isSameFile(stats, path, is, sameDevices)) return;
  const why = whyReplaceable(path);
  if (why !== undefined)
    throw durableError("ERR_ATEXIT_REPLACED", what, `${path} is not what was registered, and ${why}`);
}
