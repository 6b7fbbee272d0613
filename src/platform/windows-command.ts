// Windows: which file a command's name leads to, and how a batch file is run. Node
// starts programs alone: what npm makes for each command of a package is a batch file,
// which cmd.exe has to read, and cmd.exe reads its command line in its own way.
// Sources: Microsoft's documentation of cmd and of the command line's parsing in C;
// the advisory on batch files, CVE-2024-27980; for percent signs the standard library of
// Rust, which runs batch files in the same way.

import { builtin } from "./node-builtins.ts";
import type { CommandLine } from "./system.ts";

/** The endings that cmd.exe tries where the environment does not say. */
const ENDINGS = ".COM;.EXE;.BAT;.CMD";

const BATCH = /\.(?:bat|cmd)$/i;

/** Returns the file that a command's name leads to, of the kinds that can be started; `undefined` where there is none. */
export function findProgram(command: string, cwd: string, env: NodeJS.ProcessEnv): string | undefined {
  const { extname, resolve } = builtin("path");
  const endings = (env["PATHEXT"] ?? ENDINGS).split(";").filter((ending) => /^\.(?:com|exe|bat|cmd)$/i.test(ending));
  const isWhole = endings.some((ending) => ending.toLowerCase() === extname(command).toLowerCase());
  const names = [...(isWhole ? [command] : []), ...endings.map((ending) => command + ending.toLowerCase())];
  const path = Object.entries(env).find(([name]) => name.toUpperCase() === "PATH")?.[1] ?? "";
  // Not in the working directory, where anybody's file may be.
  const directories = /[\\/:]/.test(command) ? [cwd] : path.split(";").filter((directory) => directory !== "");
  for (const directory of directories) {
    const found = names.map((name) => resolve(cwd, directory, name)).find(isFile);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isFile(path: string): boolean {
  return builtin("fs").statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * Returns what to start for a command: its program, or cmd.exe for a batch file.
 *
 * @throws an error for what cmd.exe would take for something else
 */
export function commandLineOf(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): CommandLine {
  const program = findProgram(command, cwd, env) ?? command;
  if (!BATCH.test(program)) return { file: program, args };
  if (/["\r\n]/.test(program) || args.some((argument) => /[\r\n]/.test(argument)))
    throw new Error("cmd.exe, which runs a batch file, can be given no line break");
  // What hands its arguments on has cmd.exe read them once more.
  const times = builtin("fs").readFileSync(program, "latin1").includes("%*") ? 2 : 1;
  const line = [`"${withPercents(program)}"`, ...args.map((argument) => quoted(argument, times))].join(" ");
  const file = env["ComSpec"] ?? env["COMSPEC"] ?? "cmd.exe";
  // The outer quotes are taken away; no program of the registry is run first; ! is a letter; %cd:~,% is known.
  return { file, args: ["/d", "/e:on", "/v:off", "/s", "/c", `"${line}"`], isVerbatim: true };
}

/** Returns an argument as a program's start finds it, after cmd.exe has read it so many times. */
function quoted(argument: string, times: number): string {
  if (/^[\w./:=@+\\-]+$/.test(argument)) return argument;
  // Backslashes count only before a quote, and the argument is followed by one.
  let text = `"${argument.replaceAll(/(\\*)("|$)/g, (_, slashes: string, quote: string) => slashes + slashes + (quote && `\\${quote}`))}"`;
  // Outside of quotes, as cmd.exe sees them, each letter that means something needs a caret: the quotes as well.
  for (let n = 0; n < times; n += 1) text = text.replaceAll(/[()!^"<>&|]/g, "^$&");
  return withPercents(text);
}

/**
 * Returns a text in which no percent sign begins or ends the name of a variable: each is
 * followed by what expands to nothing. cmd.exe expands before it reads carets and quotes,
 * and once only: what it puts for %* is not looked at again. A caret alone would leave
 * those that have a colon: %PATH:~0,5^% is a part of PATH.
 */
function withPercents(text: string): string {
  return text.replaceAll("%", "%%cd:~,%");
}
