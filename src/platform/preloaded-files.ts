// The files that options of Node name as code to be loaded before a program:
// `--import tsx`, `--require ./register.cjs`. What is there is run.

import { builtin } from "./node-builtins.ts";

const fs = builtin("fs");

/** Options whose value is code, or names some. Source: https://nodejs.org/api/cli.html. */
const LOADS = /^(?:-r|--require|--import|--loader|--experimental-loader|--snapshot-blob|--openssl-config)$/;

/**
 * Returns the paths of what these options load. A package is its directory, in the
 * nearest `node_modules`. What Node itself has, and what cannot be found, is left out.
 *
 * @param options as `process.execArgv` has them
 * @param nodeOptions as `NODE_OPTIONS` has them
 * @param cwd what relative paths start from
 */
export function preloadedFiles(options: readonly string[], nodeOptions: string, cwd: string): string[] {
  return [...valuesIn(options), ...valuesIn(wordsIn(nodeOptions))].flatMap((value) => locate(value, cwd) ?? []);
}

function* valuesIn(words: readonly string[]): Generator<string> {
  for (const [at, word] of words.entries()) {
    const [name = "", ...value] = word.split("=");
    // Node takes an underscore for a dash.
    if (!LOADS.test(name.replaceAll("_", "-"))) continue;
    const given = value.length > 0 ? value.join("=") : words[at + 1];
    if (given !== undefined) yield given;
  }
}

/** Takes NODE_OPTIONS apart: words between spaces; in double quotes a space counts, and a backslash escapes. */
function wordsIn(text: string): string[] {
  const words = text.match(/(?:"(?:\\[^]|[^"\\])*"|[^ "])+/g) ?? [];
  return words.map((word) => word.replaceAll(/"((?:\\[^]|[^"\\])*)"/g, (_, quoted: string) => unescape(quoted)));
}

function unescape(quoted: string): string {
  return quoted.replaceAll(/\\([^])/g, "$1");
}

function locate(value: string, cwd: string): string | undefined {
  const { isAbsolute, resolve } = builtin("path");
  if (value.startsWith("file:")) return URL.canParse(value) ? builtin("url").fileURLToPath(value) : undefined;
  // Node has them in itself; or the code stands in the option.
  if (/^(?:node|data):/.test(value)) return undefined;
  if (isAbsolute(value) || /^\.\.?(?:[\\/]|$)/.test(value)) return resolve(cwd, value);
  // `--openssl-config` takes any path, and so does `--require` where there is such a file.
  const file = resolve(cwd, value);
  return fs.existsSync(file) ? file : packageDirectory(value, cwd);
}

function packageDirectory(specifier: string, cwd: string): string | undefined {
  const { dirname, join } = builtin("path");
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  for (let at = cwd; ; at = dirname(at)) {
    const directory = join(at, "node_modules", name);
    if (fs.existsSync(directory)) return directory;
    if (at === dirname(at)) return undefined;
  }
}
