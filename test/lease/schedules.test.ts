// The core against a model engine, in a virtual time, under a seeded scheduler:
// what one machine would see in years. And that the checker sees what is broken.

import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as core from "../../src/lease/hub.ts";
import { isLong } from "../support/long.ts";
import { ModelApiserver } from "./model/apiserver.ts";
import { type LeftOut, ModelEngine } from "./model/engine.ts";
import type { TestedEngine } from "./model/network.ts";
import { type Core, runSchedule } from "./model/schedule.ts";
import type { World } from "./model/world.ts";

/** A hundred thousand take some twenty minutes of one core: ATEXIT_TESTS_SCHEDULES=100000. */
const SCHEDULES = Number(process.env["ATEXIT_TESTS_SCHEDULES"] ?? (isLong ? 2_500 : 150));
/** A broken part must be seen within so many. */
const ENOUGH = 2_000;

it(`the core holds in ${SCHEDULES} schedules: no double holder, no token twice, no standstill, the signal in time`, async (t) => {
  const sum = { turns: 0, lost: 0, faults: 0 };
  for (let seed = 1; seed <= SCHEDULES; seed += 1) {
    const { turns, lost, faults } = await runSchedule(seed, core);
    sum.turns += turns;
    sum.lost += lost;
    sum.faults += faults;
  }
  assert.ok(sum.lost > SCHEDULES / 10 && sum.faults > SCHEDULES, "the faults take leases away");
  t.diagnostic(JSON.stringify(sum));
});

const ON_KUBERNETES = Math.ceil(SCHEDULES / 3);

it(`Lease objects of Kubernetes hold in ${ON_KUBERNETES} schedules, with a stand-in for its apiserver`, async () => {
  for (let seed = 1; seed <= ON_KUBERNETES; seed += 1) {
    await runSchedule(seed, core, (world) => new ModelApiserver(world));
  }
});

it("the checker sees an apiserver without versions", async (t) => {
  const seenAs = /was told that it holds|had no signal/;
  t.diagnostic(await seedThatFails(core, seenAs, (world) => new ModelApiserver(world, false)));
});

const ENGINES: readonly [leftOut: LeftOut, seenAs: RegExp][] = [
  ["an epoch", /standstill|a contender failed|was told that it holds|had no signal/],
  ["an old cancel is refused", /was told that it holds|had no signal/],
  ["a second begin is a heartbeat", /was told that it holds|had no signal/],
  ["tokens grow", /was granted after/],
];
for (const [leftOut, seenAs] of ENGINES) {
  it(`the checker sees an engine without the rule "${leftOut}"`, async (t) => {
    t.diagnostic(await seedThatFails(core, seenAs, (world) => new ModelEngine(world, leftOut)));
  });
}

const CORES: readonly [what: string, file: string, from: string, to: string, seenAs: RegExp][] = [
  [
    "whose deadline counts from the answer",
    "session",
    "sentAt + granted - margin",
    "this.#clock.now() + granted - margin",
    /was told that it holds|had no signal/,
  ],
  [
    "that does not look at the clock",
    "held-lease",
    "isHeld() {\n        this.#session.look();",
    "isHeld() {",
    /was told that it holds/,
  ],
  [
    "that cancels nothing after a lost answer",
    "session",
    'this.#undone.set(name, "cancel");\n            throw error;',
    "throw error;",
    /standstill/,
  ],
  [
    "that sends two cancels of one lease at once",
    "session",
    "if (undoing === undefined)",
    "if (true)",
    /was told that it holds|had no signal/,
  ],
];
for (const [what, file, from, to, seenAs] of CORES) {
  it(`the checker sees a core ${what}`, async (t) => {
    await withBrokenCore(file, from, to, async (broken) => {
      t.diagnostic(await seedThatFails(broken, seenAs));
    });
  });
}

async function seedThatFails(
  tested: Core,
  seenAs: RegExp,
  makeEngine?: (world: World) => TestedEngine,
): Promise<string> {
  for (let seed = 1; seed <= ENOUGH; seed += 1) {
    try {
      await runSchedule(seed, tested, makeEngine);
    } catch (error) {
      if (seenAs.test((error as Error).message)) return (error as Error).message.split("\n")[0] as string;
    }
  }
  throw new Error(`Not seen in ${ENOUGH} schedules`);
}

let copies = 0;

/** A copy of the core beside it, with one place changed. Compiled code and sources differ in their indents. */
async function withBrokenCore(
  file: string,
  from: string,
  to: string,
  body: (broken: Core) => Promise<void>,
): Promise<void> {
  const hub = fileURLToPath(import.meta.resolve("../../src/lease/hub.ts".replace(/ts$/, extension())));
  // A path of its own: modules are loaded once for each.
  const copy = `${dirname(hub)}-broken-${process.pid}-${(copies += 1)}`;
  cpSync(dirname(hub), copy, { recursive: true });
  try {
    const path = join(copy, `${file}.${extension()}`);
    const text = readFileSync(path, "utf8");
    // Sources say what a function returns.
    const place = new RegExp(from.split(/\s+/).map(escaped).join("(?:: \\w+)?\\s+"));
    assert.match(text, place);
    writeFileSync(
      path,
      text.replace(place, () => to),
    );
    await body((await import(pathToFileURL(join(copy, basename(hub))).href)) as Core);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function extension(): string {
  return import.meta.url.slice(-2);
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&");
}
