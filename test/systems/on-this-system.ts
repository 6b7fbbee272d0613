// What the tests of this folder stand on. They run on every system as they are: on
// Linux, macOS and Windows, and in the beds that stand for the last two, so that
// nothing here may need /proc, a shell, or a signal that Windows has not.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withUrls } from "../support/package-under-test.ts";

export const isWindows = process.platform === "win32";

/** Whether it is Wine that stands for Windows: its programs are not Windows' own. */
export const isWine = process.env["ATEXIT_TESTS_WINE"] !== undefined;

/** Whether open(2) has kernel locks, by which this package knows the living there. */
export const hasOpenLocks = isWindows || process.platform === "darwin";

/** How long anything may take, in milliseconds: a bound for a failure, not an expectation. */
export const LIMIT = 30_000;

interface Options {
  readonly detached?: boolean;
  /** Without a channel. */
  readonly stdio?: ["pipe", "pipe", "pipe"];
}

/** A directory for one test, with journals of its own; gone when the test ends. */
export class Place {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #children: ChildProcess[] = [];
  #programs = 0;

  constructor(t: TestContext) {
    this.path = realpathSync(mkdtempSync(join(tmpdir(), "atexit-systems-")));
    this.env = { ...process.env, ATEXIT_DIR: join(this.path, "journals"), NODE_TEST_CONTEXT: undefined };
    t.after(() => this.#end());
  }

  file(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return existsSync(this.file(name));
  }

  write(name: string, text = ""): string {
    writeFileSync(this.file(name), text);
    return this.file(name);
  }

  read(name: string): string {
    return this.has(name) ? readFileSync(this.file(name), "utf8") : "";
  }

  /** Starts a program. `say(text)` in it writes a line for {@link Program.heard}. */
  start(source: string, env: NodeJS.ProcessEnv = {}, args: readonly string[] = [], options: Options = {}): Program {
    this.#programs += 1;
    const file = this.write(`program-${this.#programs}.mjs`, SAY + withUrls(source));
    return this.run([file, ...args], env, options);
  }

  /** Starts Node with arguments. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}, options: Options = {}): Program {
    const child = spawn(process.execPath, args, {
      cwd: this.path,
      env: { ...this.env, ...env },
      stdio: ["pipe", "pipe", "pipe", "ipc"],
      ...options,
    });
    this.#children.push(child);
    return new Program(child);
  }

  /** Has the files of a dead owner name another pid: as if the system had given its own to that process. */
  givePid(dead: number, living: number, directory = this.file("journals")): void {
    for (const name of readdirSync(directory)) {
      const renamed = name.replaceAll(`-${dead}-`, `-${living}-`);
      if (renamed === name) continue;
      const path = join(directory, name);
      const text = readFileSync(path, "utf8");
      // In place: another file would be another owner's.
      writeFileSync(path, text.replaceAll(`"pid":${dead},`, `"pid":${living},`).replaceAll(`-${dead}-`, `-${living}-`));
      renameSync(path, join(directory, renamed));
    }
  }

  /** Waits until a file is gone, or is there. */
  async until(isSo: () => boolean, what: string | (() => string)): Promise<void> {
    for (const end = performance.now() + LIMIT; !isSo(); await sleep(20)) {
      if (performance.now() > end)
        throw new Error(`not within ${LIMIT} ms: ${typeof what === "string" ? what : what()}`);
    }
  }

  async #end(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    // A guard, or a command that is about to end, may be at work in it.
    await this.until(() => isRemoved(this.path), `${this.path} is gone`);
  }
}

function isRemoved(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (!["EBUSY", "EPERM", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return false;
  }
}

/**
 * Source that has PowerShell answer with the text of an expression, in which `script` is
 * what it is to run. Wine has none, and on Windows no answer can be chosen.
 *
 * @param after after how long, in milliseconds
 */
export function withPowerShell(answer: string, after = 0): string {
  return `
    import child_process from "node:child_process";
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { existsSync } = fs;
    const { execFile, spawnSync } = child_process;
    // Another program, for a real process and its pipes.
    const asked = (script) => ["-e", "setTimeout(() => process.stdout.write(process.argv[1]), ${after})", ${answer}];
    fs.existsSync = (path) => isPowerShell(path) || existsSync(path);
    const isPowerShell = (file) => String(file).endsWith("powershell.exe");
    child_process.execFile = (file, args, ...rest) =>
      isPowerShell(file) ? execFile(process.execPath, asked(args.at(-1)), ...rest) : execFile(file, args, ...rest);
    child_process.spawnSync = (file, args, ...rest) =>
      isPowerShell(file) ? spawnSync(process.execPath, asked(args.at(-1)), ...rest) : spawnSync(file, args, ...rest);
    syncBuiltinESMExports();
  `;
}

const SAY = 'import { writeSync } from "node:fs";\nconst say = (text) => void writeSync(1, text + "\\n");\n';

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #over: Promise<End>;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#over = new Promise((resolve) => {
      // Not "close": that does not come where the channel was closed by hand.
      const isRead = [child.stdout, child.stderr].map((stream) => stream && once(stream, "close"));
      child.once("exit", (code, signal) => void Promise.all(isRead).then(() => resolve({ code, signal })));
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** What it has said, line by line. */
  get lines(): string[] {
    return this.stdout.split(/\r?\n/).slice(0, -1);
  }

  /** Waits until it has said a line that begins so, and returns the rest of that. */
  async heard(beginning: string): Promise<string> {
    for (const end = performance.now() + LIMIT; ; await sleep(10)) {
      const line = this.lines.find((each) => each.startsWith(beginning));
      if (line !== undefined) return line.slice(beginning.length).trim();
      const isOver = this.child.exitCode !== null || this.child.signalCode !== null;
      if (!isOver && performance.now() < end) continue;
      await sleep(100); // the last of its output
      const late = this.lines.find((each) => each.startsWith(beginning));
      if (late !== undefined) return late.slice(beginning.length).trim();
      throw new Error(`"${beginning}" was not said:\n${this.stdout}\n${this.stderr}`);
    }
  }

  /** Its end, and that of its output, which what it has started may hold open. */
  async ended(): Promise<End> {
    let limit: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      limit = setTimeout(() => reject(new Error(`no end:\n${this.stdout}\n${this.stderr}`)), LIMIT);
    });
    try {
      return await Promise.race([this.#over, overdue]);
    } finally {
      clearTimeout(limit);
    }
  }

  /** Kills it as no program can see: SIGKILL, TerminateProcess. */
  async kill(): Promise<End> {
    this.child.kill("SIGKILL");
    return this.ended();
  }
}

/** Reports whether a process is alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
