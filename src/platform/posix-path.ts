// POSIX: what a path and a command's name mean to the system.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";

const fs = /* @__PURE__ */ builtin("fs");

/**
 * Returns an absolute path without `.` and `..`. After a link `..` is the parent of
 * what it leads to, and not what stands before it: `link/../file` is beside the
 * link's target. Source: path_resolution(7).
 */
export function absolutePath(path: string): string {
  const { dirname, isAbsolute, join, resolve } = builtin("path");
  if (!/(?:^|\/)\.\.(?:\/|$)/.test(path)) return resolve(path);
  let at = isAbsolute(path) ? "/" : process.cwd();
  for (const name of path.split("/")) at = name === ".." ? dirname(realPathOf(at)) : join(at, name);
  return resolve(at);
}

/** Returns where a path leads; what is not there leads nowhere else. */
function realPathOf(path: string): string {
  try {
    return fs.realpathSync.native(path);
  } catch {
    return path;
  }
}

/** Returns the program that the system would start for a command. */
export function findProgram(command: string, cwd: string, env: NodeJS.ProcessEnv): string | undefined {
  const { delimiter, isAbsolute, resolve } = builtin("path");
  const candidates = command.includes("/")
    ? [absolutePath(isAbsolute(command) ? command : `${cwd}/${command}`)]
    : (env["PATH"] ?? "").split(delimiter).map((directory) => resolve(cwd, directory, command));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return fs.statSync(path).isFile();
  } catch {
    return false;
  }
}
