#!/usr/bin/env node
// The command's first file: it lets Node keep what it compiles, and loads the
// rest. Node 24 has the command running 4 ms sooner with that.

import { statSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { packagePath } from "../platform/package-files.ts";

keepCompiledCode();
module.createRequire(import.meta.url)(packagePath("command"));

/**
 * Switches Node's compile cache on, where Node has one, and the user has a cache
 * directory. Node runs what it finds there without a look at it: so not in
 * the system's temporary directory, which is Node's default, and nowhere that
 * other users can write to.
 * Source: https://nodejs.org/api/module.html#module-compile-cache
 */
function keepCompiledCode(): void {
  const { enableCompileCache } = module as { enableCompileCache?: (directory: string) => unknown };
  if (enableCompileCache === undefined) return;
  const caches = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const stats = statSync(caches, { throwIfNoEntry: false });
  const isOwn = stats?.isDirectory() === true && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
  if (isOwn) enableCompileCache(join(caches, "atexit"));
}
