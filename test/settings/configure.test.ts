// What configure() takes and returns, and how it stands below the environment.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { clear, configure } from "../../src/index.ts";
import { evaluate } from "../support/program.ts";

afterEach(() => clear());

describe("configure()", () => {
  afterEach(() => configure(defaults));
  const defaults = configure({});

  it("returns all settings: the defaults, where nothing was said", () => {
    const { signals, ...others } = defaults;
    assert.deepEqual(others, {
      grace: 10_000,
      timeout: undefined,
      processExit: "wait",
      afterSignal: "signal",
      onSecondSignal: undefined,
      doubledWithin: 500,
      report: undefined,
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)
      assert.ok(signals.includes(signal), signal);
    for (const signal of ["SIGKILL", "SIGSTOP", "SIGUSR1", "SIGPROF", "SIGSEGV", "SIGCHLD"] as const) {
      assert.ok(!signals.includes(signal), signal);
    }
  });

  it("changes what it is given, and leaves the rest", () => {
    assert.deepEqual(configure({ grace: 1 }), { ...defaults, grace: 1 });
    assert.deepEqual(configure({ timeout: 2 }), { ...defaults, grace: 1, timeout: 2 });
    assert.deepEqual(configure({ timeout: undefined }), { ...defaults, grace: 1 });
    assert.deepEqual(configure({ processExit: "sync", signals: ["SIGTERM", "SIGTERM"] }), {
      ...defaults,
      grace: 1,
      timeout: undefined,
      processExit: "sync",
      signals: ["SIGTERM"],
    });
  });

  it("gives away a copy, and keeps a copy", () => {
    configure({}).grace = 7;
    const signals: NodeJS.Signals[] = ["SIGTERM"];
    configure({ signals });
    signals.push("SIGINT");
    assert.deepEqual(configure({}), { ...defaults, signals: ["SIGTERM"] });
  });

  it("changes nothing where a part of what it is given is wrong", () => {
    assert.throws(() => configure({ grace: 1, signals: ["SIGKILL"] }));
    assert.deepEqual(configure({}), defaults);
  });

  const environment: [variables: Record<string, string>, settings: Record<string, unknown>][] = [
    [{ ATEXIT_GRACE: "10s" }, { grace: 10_000 }],
    [{ ATEXIT_GRACE: "500ms" }, { grace: 500 }],
    [{ ATEXIT_GRACE: "1500" }, { grace: 1_500 }],
    [{ ATEXIT_GRACE: "1.5m" }, { grace: 90_000 }],
    [{ ATEXIT_GRACE: "0" }, { grace: 0 }],
    [{ ATEXIT_TIMEOUT: "2s" }, { timeout: 2_000 }],
    [{ ATEXIT_SIGNALS: "SIGTERM,SIGINT" }, { signals: ["SIGTERM", "SIGINT"] }],
    [{ ATEXIT_SIGNALS: "SIGTERM, SIGHUP" }, { signals: ["SIGTERM", "SIGHUP"] }],
    [{ ATEXIT_PROCESS_EXIT: "sync" }, { processExit: "sync" }],
    [{ ATEXIT_AFTER_SIGNAL: "code" }, { afterSignal: "code" }],
    [{ ATEXIT_AFTER_SIGNAL: "0" }, { afterSignal: 0 }],
    [
      { ATEXIT_GRACE: "3s", ATEXIT_TIMEOUT: "2500", ATEXIT_SIGNALS: "SIGTERM" },
      { grace: 3_000, timeout: 2_500, signals: ["SIGTERM"] },
    ],
  ];
  /** What the program says, whatever the operator says. */
  const program = {
    grace: 11_000,
    timeout: 12_000,
    signals: ["SIGQUIT"],
    processExit: "wait",
    afterSignal: "signal",
    doubledWithin: 13,
  };
  const said = `
    import { clear, configure, register } from "atexit";
    register(() => {});
    clear();
    configure(${JSON.stringify(program)});
    register(() => {});
    console.log(JSON.stringify(configure({ grace: 11_000 })));`;

  for (const [variables, settings] of environment) {
    it(`stands below the operator's ${text(variables)}`, async () => {
      const { stdout, stderr, code } = await evaluate(said, variables);
      assert.deepEqual(JSON.parse(stdout), { ...program, ...settings });
      assert.deepEqual({ stderr, code }, { stderr: "", code: 0 });
    });
  }

  const senseless: Record<string, string>[] = [
    { ATEXIT_GRACE: "soon" },
    { ATEXIT_GRACE: "-1" },
    { ATEXIT_GRACE: "10 parsecs" },
    { ATEXIT_GRACE: "2147483648" },
    { ATEXIT_TIMEOUT: "1e3" },
    { ATEXIT_SIGNALS: "SIGNOPE" },
    { ATEXIT_SIGNALS: "SIGTERM,SIGKILL" },
    { ATEXIT_PROCESS_EXIT: "maybe" },
    { ATEXIT_AFTER_SIGNAL: "1" },
  ];
  for (const variables of senseless) {
    it(`ignores a senseless ${text(variables)}, and says so once`, async () => {
      const { stdout, stderr, code } = await evaluate(said, variables);
      assert.deepEqual(JSON.parse(stdout), program);
      assert.match(stderr, new RegExp(`^atexit: ${text(variables)} is ignored\\. .*\\n$`));
      assert.equal(code, 0);
    });
  }

  it("takes an empty variable for none", async () => {
    const { stdout, stderr } = await evaluate(said, { ATEXIT_GRACE: "", ATEXIT_SIGNALS: "" });
    assert.deepEqual(JSON.parse(stdout), program);
    assert.equal(stderr, "");
  });

  it("lets the operator decide also where the program never calls it", async () => {
    const { stderr, code } = await evaluate(
      `import { register } from "atexit";
       register({ name: "slow" }, () => new Promise((resolve) => setTimeout(resolve, 50_000)));
       process.exit();`,
      { ATEXIT_GRACE: "50ms" },
    );
    assert.match(stderr, /^atexit: cleanup "slow" has not settled and was given up after \d\d ms/);
    assert.equal(code, 1);
  });
});

/** `ATEXIT_GRACE=10s`, as it is set in a shell. */
function text(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map((pair) => pair.join("="))
    .join(" ");
}
