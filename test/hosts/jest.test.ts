// Jest gives each test file a context of node:vm and a copy of `process`. A file
// has a stack of its own, whose cleanups run when the process ends.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Ended, linesOf, run, until } from "../support/run.ts";
import { hosts, makeProject } from "./hosts.ts";

const project = makeProject();
const bin = join(hosts, "node_modules/jest/bin/jest.js");

interface Kind {
  readonly ending: string;
  readonly imports: (names: string, from: string) => string;
  readonly config?: object;
  readonly nodeOptions?: string;
}

const babelPreset = [join(hosts, "node_modules/@babel/preset-env"), { targets: { node: "20" } }];

const COMMONJS: Kind = {
  ending: "js",
  imports: (names, from) => `const ${names} = require("${from}");`,
  config: { transform: {} },
};

const KINDS: Readonly<Record<string, Kind>> = {
  CommonJS: COMMONJS,
  "babel-jest": {
    ending: "js",
    imports: (names, from) => `import ${names} from "${from}";`,
    config: {
      transform: { "\\.js$": [join(hosts, "node_modules/babel-jest"), { presets: [babelPreset] }] },
    },
  },
  "babel-jest that transforms the package, too": {
    ending: "js",
    imports: (names, from) => `import ${names} from "${from}";`,
    config: {
      transform: { "\\.c?js$": [join(hosts, "node_modules/babel-jest"), { presets: [babelPreset] }] },
      transformIgnorePatterns: ["node_modules/(?!atexit)"],
    },
  },
  "ES modules": {
    ending: "mjs",
    imports: (names, from) => `import ${names} from "${from}";`,
    config: { transform: {} },
    nodeOptions: "--experimental-vm-modules --no-warnings",
  },
};

const PLACES: Readonly<Record<string, readonly string[]>> = {
  "in band": ["--runInBand"],
  "in worker processes": ["--maxWorkers=2"],
  "in worker threads": ["--maxWorkers=2", "--workerThreads"],
};

interface JestRun extends Ended {
  /** The lines that the test files have left. */
  readonly left: readonly string[];
}

/** Runs Jest on test files, given as their bodies: `note(line)` leaves a line. */
async function jest(
  kind: Kind,
  args: readonly string[],
  files: Readonly<Record<string, string>>,
  config: object = {},
  act?: (child: ChildProcess, notes: string) => Promise<void>,
): Promise<JestRun> {
  const directory = mkdtempSync(join(project, "jest-"));
  const notes = join(directory, "notes");
  writeFileSync(join(directory, "package.json"), '{ "private": true }');
  const testMatch = [`<rootDir>/*.test.${kind.ending}`];
  const whole = {
    testEnvironment: "node",
    moduleFileExtensions: ["js", "mjs", "cjs"],
    testMatch,
    ...kind.config,
    ...config,
  };
  writeFileSync(join(directory, "jest.config.json"), JSON.stringify(whole));
  for (const [name, body] of Object.entries(files)) {
    const source = `
      ${kind.imports("{ appendFileSync }", "node:fs")}
      ${kind.imports(kind === COMMONJS ? "atexit" : "* as atexit", "atexit")}
      const note = (line) => appendFileSync(${JSON.stringify(notes)}, line + "\\n");
      ${body}`;
    writeFileSync(join(directory, `${name}.test.${kind.ending}`), source);
  }
  const sequencer = `
    const Sequencer = require(${JSON.stringify(join(hosts, "node_modules/@jest/test-sequencer"))}).default;
    module.exports = class extends Sequencer {
      sort = (tests) => [...tests].sort((a, b) => (a.path < b.path ? -1 : 1));
    };`;
  writeFileSync(join(directory, "sequencer.js"), sequencer);
  const env = {
    ...process.env,
    NODE_OPTIONS: kind.nodeOptions,
    NODE_TEST_CONTEXT: undefined,
    ATEXIT_DIR: join(directory, "journals"),
  };
  const ended = await run(process.execPath, [bin, "--no-cache", "--testSequencer=./sequencer.js", ...args], {
    cwd: directory,
    env,
    ...(act && { act: (child) => act(child, notes) }),
  });
  return { ...ended, left: linesOf(notes) };
}

/** Registers three cleanups, and tests that the stack is the file's own. */
const registers = (name: string): string => `
  test("${name} has a stack of its own", () => {
    atexit.register(() => note("${name} 1"));
    atexit.register(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      note("${name} 2");
    });
    atexit.register(() => note("${name} 3"));
    expect(atexit.count()).toBe(3);
  });`;

/** What that leaves, whatever comes between. */
function assertLeft({ left, stderr }: JestRun, name: string): void {
  assert.deepEqual(
    left.filter((line) => line.startsWith(name)),
    [3, 2, 1].map((number) => `${name} ${number}`),
    stderr,
  );
}

for (const [what, kind] of Object.entries(KINDS)) {
  describe(`Jest, ${what}`, () => {
    for (const [where, args] of Object.entries(PLACES)) {
      test(`${where}: each file's cleanups run when the process ends`, async () => {
        const ended = await jest(kind, args, { a: registers("a"), b: registers("b"), c: registers("c") });
        assert.equal(ended.code, 0, ended.stderr);
        assert.match(ended.stderr, /^Tests:\s+3 passed, 3 total$/m);
        assert.doesNotMatch(ended.stderr, /atexit:|open handle|did not exit|leak/);
        for (const name of ["a", "b", "c"]) assertLeft(ended, name);
      });
    }
  });
}

describe("in Jest", () => {
  const IN_BAND = ["--runInBand"];

  test("exit() calls the process.exit of a test, with a code that was checked", async () => {
    const ended = await jest(COMMONJS, IN_BAND, {
      a: `
        test("exit", () => {
          const spy = jest.spyOn(process, "exit").mockImplementation(() => undefined);
          atexit.register(() => note("a"));
          atexit.exit(3);
          expect(spy.mock.calls).toEqual([[3]]);
          expect(() => atexit.exit(256)).toThrow(RangeError);
          atexit.exit();
          expect(spy.mock.calls).toEqual([[3], [0]]);
          expect(atexit.count()).toBe(1);
          spy.mockImplementation((code) => { throw new Error("exit " + code); });
          expect(() => atexit.exit(4)).toThrow("exit 4");
        });`,
    });
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(ended.left, ["a"]);
  });

  test("a program that replaces process changes nothing", async () => {
    for (const replacement of ['{ ...process, platform: "win32" }', "null", "undefined"]) {
      const ended = await jest(COMMONJS, IN_BAND, {
        a: `
          test("replaced", () => {
            const { remove } = require("atexit/durable");
            const kept = globalThis.process;
            globalThis.process = ${replacement};
            try {
              atexit.register(() => note("a 1"));
              remove("/nowhere/at/all").cancel();
              atexit.register(async () => { await null; note("a 2"); });
            } finally {
              globalThis.process = kept;
            }
          });`,
      });
      assert.equal(ended.code, 0, ended.stderr);
      assert.deepEqual(ended.left, ["a 2", "a 1"], replacement);
    }
  });

  test("fake timers and a fake date hold nothing back", async () => {
    const config = { fakeTimers: { enableGlobally: true, now: 4_000_000_000_000 } };
    for (const some of [config, {}]) {
      const ended = await jest(
        COMMONJS,
        IN_BAND,
        {
          a: `
            if (${some !== config}) jest.useFakeTimers({ now: 4_000_000_000_000 });
            test("fake", () => {
              atexit.register(() => note("a 1"));
              atexit.register({ timeout: 500 }, () => new Promise(() => {}));
              const { lockFileSync } = require("atexit/resources");
              const lock = lockFileSync(${JSON.stringify(join(project, "fake.lock"))}, { wait: 50 });
              expect(() => lockFileSync(lock.path, { wait: 50 })).toThrow("itself");
            });`,
        },
        some,
      );
      assert.equal(ended.code, 1, ended.stderr); // a cleanup was given up
      assert.match(ended.stderr, /1 passed, 1 total/);
      assert.match(ended.stderr, /has not settled and was given up after 500 ms/);
      assert.deepEqual(ended.left, ["a 1"], ended.stderr);
    }
  });

  test("cleanups of several files are waited for with --forceExit", async () => {
    const files = { a: registers("a"), b: registers("b"), c: registers("c") };
    const ended = await jest(COMMONJS, [...IN_BAND, "--forceExit"], files);
    assert.equal(ended.code, 0, ended.stderr);
    assert.doesNotMatch(ended.stderr, /atexit:|SystemExit/);
    for (const name of ["a", "b", "c"]) assertLeft(ended, name);
  });

  test("a cleanup that blocks is stopped", async () => {
    const ended = await jest(COMMONJS, IN_BAND, {
      a: `
        test("blocks", () => {
          atexit.register(() => note("a 1"));
          atexit.register({ name: "blocks", timeout: 30 }, () => { for (;;); });
        });`,
    });
    assert.match(ended.stderr, /"blocks" blocked the event loop and was stopped after 30 ms/);
    assert.deepEqual(ended.left, ["a 1"]);
  });

  test("cleanups of several files run on a signal, which ends the process when all of them have ended", async () => {
    const waits = `test("waits", async () => { console.log(""); note("waiting"); await new Promise(() => {}); }, 60_000);`;
    const ended = await jest(
      COMMONJS,
      IN_BAND,
      { a: registers("a"), b: registers("b"), c: registers("c") + waits },
      {},
      async (child, notes) => {
        await until(() => linesOf(notes).includes("waiting"));
        child.kill("SIGTERM");
      },
    );
    assert.equal(ended.signal, "SIGTERM", ended.stderr);
    assert.doesNotMatch(ended.stderr, /atexit:/);
    for (const name of ["a", "b", "c"]) assertLeft(ended, name);
  });

  test("what is durable is carried out when a worker is killed", async () => {
    const file = join(project, "durable");
    await jest(COMMONJS, IN_BAND, {
      a: `
        test("killed", () => {
          require("node:fs").writeFileSync(${JSON.stringify(file)}, "");
          require("atexit/durable").remove(${JSON.stringify(file)});
          process.kill(process.pid, "SIGKILL");
        });`,
    });
    await until(() => !existsSync(file));
  });

  test("run() in afterEach leaves nothing, not even for --detectLeaks", async () => {
    const ended = await jest(COMMONJS, ["--runInBand", "--detectLeaks"], {
      a: `afterEach(() => atexit.run());${registers("a")}`,
      b: `afterEach(() => atexit.run());${registers("b")}`,
    });
    assert.equal(ended.code, 0, ended.stderr);
    for (const name of ["a", "b"]) assertLeft(ended, name);
  });
});
