#!/usr/bin/env node
// The command's first file: it lets Node keep what it compiles, and loads the
// rest. Node 24 has the command running 4 ms sooner with that.

import { homeDirectory } from "../platform/home-directory.ts";
import { builtin } from "../platform/node-builtins.ts";
import { packagePath } from "../platform/package-files.ts";

keepCompiledCode();
builtin("module").createRequire(import.meta.url)(packagePath("command") as string);

/**
 * Switches Node's compile cache on, where Node has one, and the user has a cache
 * directory. Node runs what it finds there without a look at it: so not in
 * the system's temporary directory, which is Node's default, and nowhere that
 * other users can write to.
 * Source: https://nodejs.org/api/module.html#module-compile-cache
 */
function keepCompiledCode(): void {
  const { enableCompileCache } = builtin("module") as { enableCompileCache?: (directory: string) => unknown };
  if (enableCompileCache === undefined) return; // Node 20
  const { join } = builtin("path");
  const home = homeDirectory();
  const caches = process.env["XDG_CACHE_HOME"] || (home === undefined ? undefined : join(home, ".cache"));
  if (caches === undefined || !builtin("fs").existsSync(caches)) return;
  const stats = builtin("fs").statSync(caches);
  const isOwn = stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
  if (isOwn) enableCompileCache(join(caches, "atexit"));
}
