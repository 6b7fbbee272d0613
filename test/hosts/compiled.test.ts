// An executable of `bun build --compile`: it is the program itself, and must not be
// started where a helper is meant.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { inPlace, type Place } from "../support/place.ts";
import { linesOf, run, statusOf } from "../support/run.ts";
import { bun, makeProject } from "./hosts.ts";

const PROGRAM = `
  import fs from "node:fs";
  import { register } from "atexit";
  import { remove } from "atexit/durable";
  const { WORK } = process.env;
  const how = process.argv[2];
  fs.appendFileSync(WORK + "/starts", how + "\\n");
  if (how !== "again") {
    fs.writeFileSync(WORK + "/file", "");
    remove(WORK + "/file");
  }
  register(() => console.log("first"));
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 20)); console.log("second"); });
  if (how === "again") {
    remove(WORK + "/nothing");
    const looking = setInterval(() => fs.existsSync(WORK + "/file") || clearInterval(looking), 5);
  }
  if (how === "exit") setTimeout(() => process.exit(3), 5);
  else if (how?.startsWith("SIG")) {
    setTimeout(() => process.kill(process.pid, how), 100);
    setTimeout(() => {}, 20_000);
  }`;

describe("bun build --compile", () => {
  const project = makeProject();
  const executable = join(project, "executable");
  before(async () => {
    writeFileSync(join(project, "program.mjs"), PROGRAM);
    const args = ["build", "--compile", "program.mjs", `--outfile=${executable}`];
    const { code, stderr } = await run(bun, args, { cwd: project });
    assert.equal(code, 0, stderr);
  });

  /** What is there beside the list of starts. */
  const left = ({ work }: Place): string[] => readdirSync(work).filter((name) => name !== "starts");
  const starts = ({ work }: Place): string[] => linesOf(join(work, "starts"));
  const start = (place: Place, how: string, PATH = place.environment["PATH"]) =>
    run(executable, [how], { env: { ...place.environment, PATH }, cwd: place.work });

  for (const [how, status] of [
    ["end", "0"],
    ["exit", "3"],
    ["SIGTERM", "SIGTERM"],
  ] as const) {
    test(`${how}: cleanups run`, () =>
      inPlace(async (place) => {
        const ended = await start(place, how);
        assert.deepEqual([ended.stdout, ended.stderr, statusOf(ended)], ["second\nfirst\n", "", status]);
        await place.quiet();
        assert.deepEqual([left(place), starts(place)], [[], [how]], JSON.stringify(place.log()));
      }));
  }

  test("SIGKILL: a recipe is carried out by the Node that PATH leads to, and the program is not started", () =>
    inPlace(async (place) => {
      const ended = await start(place, "SIGKILL");
      assert.deepEqual([ended.stderr, statusOf(ended)], ["", "SIGKILL"]);
      await place.quiet();
      assert.deepEqual([left(place), starts(place)], [[], ["SIGKILL"]], JSON.stringify(place.log()));
    }));

  test("SIGKILL, where there is no Node: that is said, and the next start carries the recipe out", () =>
    inPlace(async (place) => {
      const ended = await start(place, "SIGKILL", "/nowhere");
      assert.equal(statusOf(ended), "SIGKILL");
      assert.match(ended.stderr, /^atexit: no guard is running: this is a single executable, .*at the next start.*\n$/);
      await place.quiet();
      assert.deepEqual([left(place), starts(place)], [["file"], ["SIGKILL"]]);
      const again = await start(place, "again", "/nowhere");
      assert.deepEqual([again.stdout, statusOf(again)], ["second\nfirst\n", "0"], again.stderr);
      assert.deepEqual([left(place), starts(place)], [[], ["SIGKILL", "again"]], JSON.stringify(place.log()));
    }));
});
