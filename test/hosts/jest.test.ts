// Jest gives each test file a context of node:vm and a copy of `process`. A file
// has a stack of its own, whose cleanups run when the process ends.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Ended, linesOf, run } from "../support/run.ts";
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
  act?: NonNullable<Parameters<typeof run>[2]>["act"],
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
  const env = {
    ...process.env,
    NODE_OPTIONS: kind.nodeOptions,
    NODE_TEST_CONTEXT: undefined,
    ATEXIT_DIR: join(directory, "journals"),
  };
  const ended = await run(process.execPath, [bin, "--no-cache", ...args], { cwd: directory, env, ...(act && { act }) });
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
