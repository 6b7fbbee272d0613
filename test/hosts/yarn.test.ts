// Yarn's Plug'n'Play: packages stay in zip archives that only a process with its
// loader can read, and a guard's helper has none.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inPlace } from "../support/place.ts";
import { run, statusOf } from "../support/run.ts";
import { hosts, packInto } from "./hosts.ts";

const PROGRAM = `
  import fs from "node:fs";
  import { register } from "atexit";
  import { remove } from "atexit/durable";
  import { tempDir } from "atexit/resources";
  const { WORK } = process.env;
  fs.writeFileSync(WORK + "/file", "");
  remove(WORK + "/file");
  tempDir({ dir: WORK });
  register(() => console.log("first"));
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 20)); console.log("second"); });
  if (process.argv[2] === "exit") setTimeout(() => process.exit(3), 5);
  else if (process.argv[2] === "SIGKILL") process.kill(process.pid, "SIGKILL");`;

describe("Yarn, Plug'n'Play", () => {
  const project = mkdtempSync(join(tmpdir(), "atexit-yarn-"));
  const yarn = (args: readonly string[], env: NodeJS.ProcessEnv = process.env) =>
    run(process.execPath, [join(hosts, "node_modules/@yarnpkg/cli-dist/bin/yarn.js"), ...args], { cwd: project, env });

  before(async () => {
    const dependencies = { atexit: `file:./${basename(packInto(project))}` };
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, dependencies }));
    const settings = { nodeLinker: "pnp", enableTelemetry: false, enableGlobalCache: false, globalFolder: "./global" };
    // JSON is YAML, too.
    writeFileSync(join(project, ".yarnrc.yml"), JSON.stringify(settings));
    writeFileSync(join(project, "program.mjs"), PROGRAM);
    writeFileSync(
      join(project, "program.cjs"),
      PROGRAM.replaceAll(/import (.*) from (.*);/g, "const $1 = require($2);"),
    );
    const { code, stdout, stderr } = await yarn(["install", "--no-immutable"]);
    assert.equal(code, 0, stdout + stderr);
    assert.ok(readdirSync(project).includes(".pnp.cjs") && !readdirSync(project).includes("node_modules"));
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  for (const file of ["program.mjs", "program.cjs"]) {
    for (const [how, status] of [
      ["end", "0"],
      ["exit", "3"],
      ["SIGKILL", "SIGKILL"],
    ] as const) {
      test(`${file}, ${how}: cleanups run, and nothing is left`, () =>
        inPlace(async ({ environment, work, quiet, left, log }) => {
          const ended = await yarn(["node", file, how], environment);
          // Yarn has a number of its own for a signal.
          if (how !== "SIGKILL") assert.equal(statusOf(ended), status);
          assert.deepEqual([ended.stdout, ended.stderr], [how === "SIGKILL" ? "" : "second\nfirst\n", ""]);
          await quiet();
          assert.deepEqual([readdirSync(work), left()], [[], []], JSON.stringify(log()));
        }));
    }
  }

  test("the command", () =>
    inPlace(async ({ environment }) => {
      const ended = await yarn(["atexit", "run", "--", "sh", "-c", "exit 5"], environment);
      assert.deepEqual([statusOf(ended), ended.stdout], ["5", ""]);
    }));

  test("the command, killed: the guard undoes what was asked for", () =>
    inPlace(async ({ environment, work, quiet, left, log }) => {
      const path = join(work, "made");
      writeFileSync(path, "");
      const kill = `process.kill(process.ppid, "SIGKILL"); setTimeout(() => {}, 60_000)`;
      const command = ["atexit", "run", "--rm", path, "--", process.execPath, "-e", kill];
      const { stderr } = await yarn(command, environment);
      await quiet();
      assert.deepEqual([readdirSync(work), left(), stderr], [[], [], ""], JSON.stringify(log()));
    }));
});
