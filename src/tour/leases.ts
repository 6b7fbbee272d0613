// The part of the tour that takes an engine: two commands on two "machines" want one
// lease, and the first one ends in different ways.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

interface Way {
  readonly name: string;
  readonly signal: NodeJS.Signals;
  readonly env: NodeJS.ProcessEnv;
  /** Who gives the lease back. */
  readonly by: string;
  /** Within how many milliseconds the next one is to have it, on a machine that does other things as well. */
  readonly within: number;
}

export interface Handover {
  readonly name: string;
  readonly by: string;
  /** From the end of the first to the beginning of the second, in milliseconds. */
  readonly took: number;
  readonly isInTime: boolean;
}

/** How long the first one may be silent, in milliseconds. */
const TTL = 5_000;

export const leaseWays: readonly Way[] = [
  { name: "lease: SIGTERM", signal: "SIGTERM", env: {}, by: "its own cleanups", within: 3_000 },
  { name: "lease: SIGKILL", signal: "SIGKILL", env: {}, by: "its guard", within: 4_500 },
  {
    name: "lease: SIGKILL, and no guard",
    signal: "SIGKILL",
    env: { ATEXIT_GUARD: "off" },
    by: "time",
    within: 2 * TTL,
  },
];

/** @param command Node, and this command's file */
export async function handOver(way: Way, command: readonly string[]): Promise<Handover> {
  const name = `atexit tour ${process.pid}`;
  const started: ChildProcess[] = [];
  const start = (env: NodeJS.ProcessEnv, wait: string, ...program: string[]) => {
    const [node = "", ...args] = command;
    const options = ["run", "--lease", name, "--ttl", `${TTL}ms`, "--wait", wait, "--", ...program];
    const child = spawn(node, [...args, ...options], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    started.push(child);
    return child;
  };
  try {
    const first = start(way.env, "0s", "sh", "-c", "echo first; read _");
    await hasIt(first);
    const second = start({}, "60s", "echo", "second");
    // It waits by then, or comes a little later.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = performance.now();
    first.kill(way.signal);
    await hasIt(second);
    const took = performance.now() - before;
    return { name: way.name, by: way.by, took, isInTime: took <= way.within };
  } finally {
    for (const child of started) {
      child.stdin?.destroy(); // what is left of the first reads its end
      child.kill();
    }
  }
}

/** Waits for the first line of the command that runs while the lease is held. */
async function hasIt(child: ChildProcess): Promise<void> {
  const first = await Promise.race([once(child.stdout as NodeJS.ReadableStream, "data"), once(child, "exit")]);
  if (!(first[0] instanceof Buffer)) throw new Error("atexit run --lease has ended without the lease");
}
