// Processes that want one lease, each behind a proxy of its own: they take it when
// they can, say all the time whether they are told that they hold it, and write
// where the fence lets them.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { makeProgramDirectory } from "../../support/package-under-test.ts";
import type { Proxy } from "./proxy.ts";
import type { Told } from "./turns.ts";

/**
 * Within which time after a SIGKILL a guard has given a lease back, in milliseconds.
 * It takes two starts of Node: less than a second on a machine that is idle, and twice
 * as long where others use both its cores.
 */
export const GUARDED = 3_000;

/** How a contender takes the lease that it wants. */
export const TAKE = `
  import { lease } from "atexit/lease";
  const take = () => lease(engine, "the one", { wait: Infinity });`;

/** What the program does with anything that has `take` and `write`. */
const CONTEND = `
  import { createInterface } from "node:readline";
  import { setTimeout as sleep } from "node:timers/promises";
  const tell = (line) => process.stdout.write(JSON.stringify({ at: Number(process.hrtime.bigint()) / 1e6, ...line }) + "\\n");
  const at = () => Number(process.hrtime.bigint()) / 1e6;
  let release = () => {};
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "release") release();
    else if (line === "exit") process.exit();
  });
  for (;;) {
    let held;
    try {
      held = await take();
      if (held === undefined) continue;
    } catch (error) {
      tell({ is: "error", message: String(error) });
      continue;
    }
    const token = Number(held.token);
    tell({ is: "begun", token });
    held.signal.addEventListener("abort", () => tell({ is: "signal", token, reason: held.signal.reason.reason }));
    let isAsked = false;
    release = () => (isAsked = true);
    while (!isAsked) {
      const before = at();
      if (!held.isHeld()) break;
      tell({ is: "held", token, at: before });
      write(token).then((is) => tell({ is, token }), () => {});
      await sleep(10);
    }
    await held.release();
    await sleep(50);
  }`;

export class Contender {
  readonly who: number;
  readonly proxy: Proxy;
  readonly told: Told[] = [];
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #wakes: (() => void)[] = [];

  /** @param engine a source that makes `take` and `write`, and finds the proxy's port in `PORT` */
  constructor(who: number, proxy: Proxy, engine: string, env: NodeJS.ProcessEnv) {
    this.who = who;
    this.proxy = proxy;
    this.#directory = makeProgramDirectory();
    const program = join(this.#directory, "contender.mjs");
    writeFileSync(program, engine + CONTEND);
    this.#child = spawn(process.execPath, [program], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env, PORT: String(proxy.port) },
    });
    this.#exited = once(this.#child, "exit");
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.told.push(JSON.parse(line) as Told);
      for (const wake of this.#wakes.splice(0)) wake();
    });
  }

  /** Resolves with the first line after `from` that is so. */
  async tells(isSo: (line: Told) => boolean, from = 0): Promise<Told> {
    for (let n = from; ;) {
      for (; n < this.told.length; n += 1) {
        const line = this.told[n] as Told;
        if (isSo(line)) return line;
      }
      await new Promise<void>((resolve) => this.#wakes.push(resolve));
    }
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  ask(what: "release" | "exit"): void {
    this.#child.stdin?.write(`${what}\n`);
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      if (signal === "SIGKILL") this.#child.kill("SIGCONT");
      await this.#exited;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The time on the clock that contenders tell. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
