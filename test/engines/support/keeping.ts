// Owners that die, owners that live, and keepers, each in a process of its own; and
// the checker of what was carried out.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Carried } from "../../../src/keeper/index.ts";
import { makeProgramDirectory } from "../../support/package-under-test.ts";

/** Each action writes down which recipe of which owner it was, when, and in which process. */
const ACTIONS = `
  import { actions } from "atexit/keeper";
  import { appendFileSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  const note = (line) =>
    appendFileSync(process.env.LOG, JSON.stringify({ at: Number(process.hrtime.bigint()) / 1e6, pid: process.pid, ...line }) + "\\n");
  export const cleanups = actions(
    {
      async clean(owner, n) {
        await sleep(Number(process.env.WORK_MS ?? 0));
        note({ owner, n });
      },
      fail: async () => { throw new Error("this cannot be done"); },
      async failOnce(owner, n) {
        const { readFileSync } = await import("node:fs");
        const wasTried = readFileSync(process.env.LOG, "utf8").includes('"tried":"' + owner + '"');
        note({ tried: owner });
        if (!wasTried) throw new Error("not yet");
        note({ owner, n });
      },
      block: () => { for (;;); },
      leave: () => process.exit(3),
      onlyWords(word) { note({ owner: word, n: 0 }); },
    },
    {
      ...(process.env.MODULE === "on" ? { module: import.meta.url } : {}),
      ...(process.env.SECRET ? { secret: process.env.SECRET } : {}),
      check: {
        onlyWords: {
          "~standard": {
            version: 1,
            vendor: "the tests",
            validate: (value) => /^\\w+$/.test(value[0]) ? { value } : { issues: [{ message: "no word" }] },
          },
        },
      },
    },
  );`;

export const ON_POSTGRES = `
  import pg from "pg";
  import { postgres } from "atexit/postgres";
  const pool = new pg.Pool({ connectionString: process.env.URL, allowExitOnIdle: true, connectionTimeoutMillis: 1_000 });
  pool.on("error", () => {});
  // Kills this process at a call of a function of the schema, "step 2 after": before it is sent, or when it was answered.
  const [name, nth, when] = (process.env.KILL_AT ?? "").split(" ");
  let calls = 0;
  const query = async (text, values) => {
    const isIt = text.includes("atexit." + name + "(") && (calls += 1) === Number(nth);
    if (isIt && when === "before") process.kill(process.pid, "SIGKILL");
    const answer = await pool.query(text, values);
    if (isIt && when === "after") process.kill(process.pid, "SIGKILL");
    return answer;
  };
  const client = process.env.KILL_AT === undefined ? pool : { query };
  const make = () => postgres(client, { ttl: Number(process.env.TTL), ...(process.env.GUARD === "on" ? { env: "URL" } : {}) });
  `;

export const ON_ETCD = `
  import { etcd } from "atexit/etcd";
  const make = () =>
    etcd(process.env.URL.split(","), { ttl: Number(process.env.TTL), ...(process.env.GUARD === "on" ? { env: "URL" } : {}) });
  `;

const COMMON = `
  import * as keeping from "atexit/keeper";
  import { cleanups } from "./cleanups.mjs";
  const tell = (line) => process.stdout.write(JSON.stringify(line) + "\\n");
  const wait = setInterval(() => {}, 1_000);
  process.stdin.on("data", (line) => String(line) === "exit" ? process.exit() : clearInterval(wait)).unref();
  `;

const OWNERS = `${COMMON}
  import { readFileSync } from "node:fs";
  const plan = JSON.parse(readFileSync(process.env.PLAN, "utf8"));
  // As many at once as an engine's connections bear.
  const next = plan.values();
  const plantSome = async () => {
    for (const { owner, recipes } of next) {
      const engine = make();
      engine.signal.addEventListener("abort", () => tell({ dead: owner }));
      for (const [action, ...args] of recipes) {
        await keeping.plant(engine, cleanups[action], ...args);
        tell({ planted: args });
      }
    }
  };
  await Promise.all(Array.from({ length: 40 }, plantSome));
  tell("planted");
  `;

const KEEPER = `${COMMON}
  const keeper = await keeping.keeper(make(), new URL("./cleanups.mjs", import.meta.url), JSON.parse(process.env.OPTIONS ?? "{}"));
  if (process.env.QUIET !== "on") {
    for (const outcome of ["carried", "failed", "dead letter", "refused"]) keeper.on(outcome, tell);
  }
  clearInterval(wait);
  tell("keeping");
  `;

const RECOVER = `${COMMON}
  clearInterval(wait);
  const module = new URL("./cleanups.mjs", import.meta.url);
  for (const carried of await keeping.recoverFrom(make(), module, JSON.parse(process.env.OPTIONS ?? "{}"))) tell(carried);
  tell("over");
  `;

export interface Carry {
  readonly at: number;
  readonly pid: number;
  readonly owner: string;
  readonly n: number;
}

/** An owner, and its recipes: an action's name and its arguments each. */
export interface Plan {
  readonly owner: string;
  readonly recipes: readonly (readonly [action: string, ...args: unknown[]])[];
}

export class Program {
  readonly child: ChildProcess;
  readonly lines: unknown[] = [];
  readonly ended: Promise<unknown>;

  constructor(program: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [program], { env, stdio: ["pipe", "pipe", "inherit"] });
    this.ended = once(this.child, "exit");
    let rest = "";
    this.child.stdout?.on("data", (chunk) => {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines.map((line) => JSON.parse(line) as unknown));
    });
  }

  /** @param within - how long it may take, in milliseconds */
  async tells(line: unknown, within?: number): Promise<this> {
    await eventually(() => this.lines.includes(line) || this.child.exitCode !== null, within);
    assert.ok(this.lines.includes(line), "the program has failed");
    return this;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** What it has told of recipes. */
  get carried(): Carried[] {
    return this.lines.filter((line): line is Carried => typeof line === "object" && "action" in (line as object));
  }

  send(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async ask(what: "exit" | "end"): Promise<void> {
    this.child.stdin?.write(what);
    await this.ended;
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill(signal);
    this.child.kill("SIGCONT");
    await this.ended;
  }
}

export class Keeping {
  readonly directory = makeProgramDirectory();
  readonly journals = mkdtempSync(join(tmpdir(), "atexit-keeping-"));
  readonly log = join(this.directory, "log");
  readonly #env: NodeJS.ProcessEnv;
  readonly #programs: Program[] = [];
  readonly #carries: Carry[] = [];
  #plans = 0;
  /** How much of the log has been read, in characters. */
  #read = 0;

  /** @param engine - a source that makes `make` */
  constructor(engine: string, env: NodeJS.ProcessEnv) {
    const programs = { cleanups: ACTIONS, owners: engine + OWNERS, keeper: engine + KEEPER, recover: engine + RECOVER };
    for (const [name, source] of Object.entries(programs)) {
      writeFileSync(join(this.directory, `${name}.mjs`), source);
    }
    writeFileSync(this.log, "");
    this.#env = { ...process.env, NODE_TEST_CONTEXT: undefined, ATEXIT_DIR: this.journals, LOG: this.log, ...env };
  }

  owners(plan: readonly Plan[], env: NodeJS.ProcessEnv = {}): Promise<Program> {
    return this.startOwners(plan, env).tells("planted", 60_000 + 500 * plan.length);
  }

  keeper(options: object = {}, env: NodeJS.ProcessEnv = {}): Promise<Program> {
    return this.#start("keeper", { ...env, OPTIONS: JSON.stringify(options) }).tells("keeping");
  }

  /** One round of a keeper, to its end. */
  async recover(options: object = {}, env: NodeJS.ProcessEnv = {}): Promise<Program> {
    const program = this.startRecover({ ...env, OPTIONS: JSON.stringify(options) });
    await program.ended;
    return program;
  }

  /** One that may not come to its end. */
  startRecover(env: NodeJS.ProcessEnv): Program {
    return this.#start("recover", env);
  }

  /** Starts owners that may not come to their end. */
  startOwners(plan: readonly Plan[], env: NodeJS.ProcessEnv = {}): Program {
    const file = join(this.directory, `plan-${(this.#plans += 1)}.json`);
    writeFileSync(file, JSON.stringify(plan));
    return this.#start("owners", { ...env, PLAN: file });
  }

  get module(): string {
    return join(this.directory, "cleanups.mjs");
  }

  carries(): readonly Carry[] {
    const text = readFileSync(this.log, "utf8");
    const end = text.lastIndexOf("\n") + 1;
    const lines = text.slice(this.#read, end).split("\n").filter(Boolean);
    this.#read = end;
    this.#carries.push(...lines.map((line) => JSON.parse(line) as Carry).filter(({ owner }) => owner !== undefined));
    return this.#carries;
  }

  /** How many different recipes have been carried out. */
  get count(): number {
    return this.countOf("");
  }

  /** How many different recipes have been carried out, of all owners whose names begin so: an earlier test may have left some. */
  countOf(names: string): number {
    const own = this.carries().filter(({ owner }) => owner.startsWith(names));
    return new Set(own.map(({ owner, n }) => `${owner}/${n}`)).size;
  }

  async end(): Promise<void> {
    for (const program of this.#programs.splice(0)) await program.kill();
    rmSync(this.directory, { recursive: true });
    for (let n = 0; existsSync(this.journals) && n < 100; n += 1) {
      try {
        rmSync(this.journals, { recursive: true, force: true });
      } catch {
        await sleep(50); // a guard's last line
      }
    }
  }

  #start(name: string, env: NodeJS.ProcessEnv): Program {
    const program = new Program(join(this.directory, `${name}.mjs`), { ...this.#env, ...env });
    this.#programs.push(program);
    return program;
  }
}

/** So many owners with so many recipes each. */
export function planOf(name: string, owners: number, recipes: number): Plan[] {
  return Array.from({ length: owners }, (_, at) => {
    const owner = `${name}${at}`;
    return { owner, recipes: Array.from({ length: recipes }, (__, n) => ["clean", owner, n] as const) };
  });
}

/**
 * Every recipe was carried out, last in, first out for each owner, and none before its
 * owner's death. @returns how many were carried out more than once
 */
export function checkCarried(carries: readonly Carry[], plan: readonly Plan[], diedAt: number): number {
  const violations: string[] = [];
  let twice = 0;
  const byOwner = new Map<string, Carry[]>();
  for (const carry of carries) byOwner.set(carry.owner, [...(byOwner.get(carry.owner) ?? []), carry]);
  for (const { owner, recipes } of plan) {
    const of = byOwner.get(owner) ?? [];
    const first = [...new Set(of.map(({ n }) => n))];
    twice += of.length - first.length;
    if (first.length !== recipes.length) violations.push(`${owner}: ${recipes.length - first.length} were lost`);
    if (first.some((n, at) => at > 0 && n > (first[at - 1] as number)))
      violations.push(`${owner}: out of order ${first}`);
    if (of.some(({ at }) => at < diedAt)) violations.push(`${owner}: before its death`);
  }
  assert.deepEqual(violations, []);
  return twice;
}

export async function eventually(isSo: () => boolean | Promise<boolean>, within = 60_000): Promise<void> {
  for (const end = performance.now() + within; !(await isSo()); await sleep(20)) {
    if (performance.now() > end) throw new Error(`it did not happen within ${within} ms`);
  }
}
