// What durable cleanups cost, beside the least that could be done instead.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lifetime, printed } from "./measure.mjs";

/** Calls `body` with a place for journals of its own. */
export function inPlace(body) {
  const directory = mkdtempSync(join(tmpdir(), "atexit-bench-durable-"));
  process.env.ATEXIT_DIR = join(directory, "journals");
  process.env.PEERS = fileURLToPath(new URL("../package.json", import.meta.url));
  mkdirSync(process.env.ATEXIT_DIR, { mode: 0o700 });
  try {
    return body(directory);
  } finally {
    delete process.env.ATEXIT_DIR;
    rmSync(directory, { recursive: true, force: true });
  }
}

const withoutGuard = (body) => {
  process.env.ATEXIT_GUARD = "off";
  try {
    return inPlace(body);
  } finally {
    delete process.env.ATEXIT_GUARD;
  }
};

export const recipe = {
  name: "recipe",
  what: "one of many recipes, beside others that are pending",
  peer: "lstat and write of the same line",
  unit: "ns",
  atMost: 2.5,
  rounds: 21,
  ours: ({ node, program }) => withoutGuard(() => printed(node, [program("recipe.mjs")])),
  theirs: ({ node, program }) => withoutGuard(() => printed(node, [program("recipe.mjs"), "bare"])),
};

export const firstRecipe = {
  name: "first-recipe",
  what: "how long the first recipe blocks, its guard's start included",
  peer: "a bare spawn of a waiting sh",
  unit: "ms",
  rounds: 41,
  ours: ({ node, program }) => inPlace(() => printed(node, [program("first-recipe.mjs")])),
  theirs: ({ node, program }) => inPlace(() => printed(node, [program("first-recipe.mjs"), "bare"])),
};

/** Journals of live processes, all of this one: the names tell who their owners are. */
function withLiveJournals(count, { node, program }, body) {
  return inPlace(() => {
    const directory = process.env.ATEXIT_DIR;
    const real = spawnSync(
      node,
      ["-e", 'require("atexit/durable").remove("/nowhere/x"); process.kill(process.pid, "SIGKILL")'],
      { env: { ...process.env, ATEXIT_GUARD: "off" }, cwd: join(program("."), ".") },
    );
    if (real.signal !== "SIGKILL") throw new Error(String(real.stderr));
    const [name] = readdirSync(directory);
    const text = readFileSync(join(directory, name), "utf8");
    rmSync(join(directory, name));
    const stat = readFileSync("/proc/self/stat", "utf8");
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const [boot, pidns, view] = name.split("-");
    const [header, ...recipes] = text.split("\n");
    const own = JSON.parse(header);
    own.owner = { ...own.owner, pid: process.pid, start };
    const journal = [JSON.stringify(own), ...recipes].join("\n");
    for (let n = 0; n < count; n += 1) {
      const random = n.toString(16).padStart(8, "0");
      writeFileSync(join(directory, `${boot}-${pidns}-${view}-${process.pid}-${start}-${random}.jsonl`), journal, {
        mode: 0o600,
      });
    }
    return body();
  });
}

export const manyJournals = {
  name: "many-journals",
  what: "how long the first recipe blocks, beside ten thousand journals of live processes",
  peer: "beside none",
  unit: "ms",
  atMost: 1.2,
  rounds: 11,
  ours: (at) => withLiveJournals(10_000, at, () => printed(at.node, [at.program("first-recipe.mjs")])),
  theirs: (at) => withLiveJournals(0, at, () => printed(at.node, [at.program("first-recipe.mjs")])),
};

/** Kilobytes that only this process holds, and what stays of it when it waits. */
function privateMemory(pid) {
  const rows = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_\w+: +(\d+) kB$/gm);
  return [...rows].reduce((sum, [, size]) => sum + Number(size), 0);
}

function waitUntil(isSo) {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 5_000) throw new Error(`It has not come to be so: ${isSo}`);
    Atomics.wait(cell, 0, 0, 1);
  }
}

const childrenOf = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
};

const sleeps = (pid) => /\) S /.test(readFileSync(`/proc/${pid}/stat`, "utf8")) && childrenOf(pid).length === 0;

export const guardMemory = {
  name: "guard-memory",
  what: "the guard's own memory while it waits",
  peer: "a bare waiting sh",
  unit: "KB",
  atMost: 2,
  rounds: 5,
  ours: ({ node, program }) =>
    inPlace(() => {
      const owner = spawn(node, [program("one-recipe.mjs"), "stay"], { stdio: "ignore" });
      waitUntil(() => childrenOf(owner.pid).some(sleeps) && readdirSync(process.env.ATEXIT_DIR).length === 1);
      waitUntil(() =>
        readFileSync(join(process.env.ATEXIT_DIR, readdirSync(process.env.ATEXIT_DIR)[0])).includes("locked"),
      );
      const memory = privateMemory(childrenOf(owner.pid).find(sleeps));
      process.kill(owner.pid, "SIGKILL");
      waitUntil(() => readdirSync(process.env.ATEXIT_DIR).every((name) => name === "log.jsonl"));
      return memory;
    }),
  theirs() {
    const shell = spawn("/bin/sh", ["-c", "read _"], { stdio: ["pipe", "ignore", "ignore"] });
    waitUntil(() => /\) S /.test(readFileSync(`/proc/${shell.pid}/stat`, "utf8")));
    const memory = privateMemory(shell.pid);
    process.kill(shell.pid, "SIGKILL");
    return memory;
  },
};

export const guardMemoryBesideNode = {
  ...guardMemory,
  name: "guard-memory-node",
  peer: "a bare waiting Node",
  atMost: 0.1,
  theirs({ node }) {
    const waiting = spawn(node, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
    let last = 0;
    let steady = 0;
    // It waits when it has read its program, and its memory has long stopped growing.
    waitUntil(() => {
      const before = last;
      last = privateMemory(waiting.pid);
      steady = last > 1_000 && last === before && sleeps(waiting.pid) ? steady + 1 : 0;
      return steady > 50;
    });
    process.kill(waiting.pid, "SIGKILL");
    return last;
  },
};

export const killedToGone = {
  name: "killed-to-gone",
  what: "from SIGKILL to the path gone",
  peer: "node -e 0",
  unit: "ms",
  atMost: 2,
  rounds: 15,
  ours: ({ node, program }) =>
    inPlace((directory) => {
      const owner = spawn(node, [program("one-recipe.mjs"), "stay"], { stdio: "ignore" });
      const journals = () => readdirSync(process.env.ATEXIT_DIR);
      waitUntil(
        () => journals().length === 1 && readFileSync(join(process.env.ATEXIT_DIR, journals()[0])).includes("locked"),
      );
      const scratch = join(directory, "scratch");
      writeFileSync(scratch, "");
      const start = process.hrtime.bigint();
      process.kill(owner.pid, "SIGKILL");
      waitUntil(() => !existsSync(scratch));
      const took = Number(process.hrtime.bigint() - start) / 1e6;
      waitUntil(() => journals().every((name) => name === "log.jsonl"));
      return took;
    }),
  theirs: ({ node }) => lifetime(node, ["-e", "0"], 0),
};

export const cleanExit = {
  name: "clean-exit",
  what: "a whole process with one recipe, natural end",
  peer: "the same without one",
  unit: "ms",
  rounds: 41,
  ours: ({ node, program }) => inPlace(() => lifetime(node, [program("one-recipe.mjs")], 0)),
  theirs: ({ node, program }) => inPlace(() => lifetime(node, [program("one-recipe.mjs"), "none"], 0)),
};
