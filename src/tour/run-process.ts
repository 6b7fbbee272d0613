// Starts a real process, and tells how it ended and what it wrote.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions extends SpawnOptions {
  /** Called once the process has started, to act on it. */
  act?: (child: ChildProcess) => unknown;
  /** Killed when it takes longer, in milliseconds: a hang is a failure, not a wait. */
  limit?: number;
}

/** Runs a command to its end. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { act, limit = 60_000, ...spawning } = options;
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...spawning });
  const kill = () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    // What it has started may hold its output open.
    if (spawning.detached === true) process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  };
  const killer = setTimeout(kill, limit);
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve([code, signal]));
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk) => {
    stderr += chunk;
  });
  try {
    await act?.(child);
    const [code, signal] = await ended;
    return { code, signal, stdout, stderr };
  } finally {
    clearTimeout(killer);
    kill();
  }
}

/** How a process ended, in one word: `0`, `13`, `SIGTERM`. */
export function statusOf({ code, signal }: Pick<Ended, "code" | "signal">): string {
  return signal ?? String(code);
}

/** Resolves when the process has written the text on its standard output. */
export function printed(child: ChildProcess, expected: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = "";
    child.stdout?.on("data", (chunk) => {
      seen += chunk;
      if (seen.includes(expected)) resolve();
    });
    child.once("close", () =>
      reject(new Error(`The process ended before it printed ${JSON.stringify(expected)}: ${seen}`)),
    );
  });
}

/** The lines of a file, or none where there is no file. */
export function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}
