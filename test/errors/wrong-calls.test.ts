// What a wrong call throws: a class, a code, and a message that says what to pass.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { clear, configure, count, exit, exitNow, finalize, register, unregister } from "../../src/index.ts";

const wrong = (call: unknown) => call as never;

afterEach(() => clear());

describe("a wrong call", () => {
  const nothing = () => {};
  const object = {};
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();

  type Row = [
    call: string,
    make: () => unknown,
    Class: typeof TypeError | typeof RangeError,
    code: string,
    message: RegExp,
  ];
  const rows: Row[] = [
    ...(
      [
        ['register("x")', () => register(wrong("x")), "'x'"],
        ["register()", () => register(wrong(undefined)), "undefined"],
        ["register(null)", () => register(wrong(null)), "null"],
        ["register({})", () => register(wrong({}), wrong(undefined)), "undefined"],
        ["register({}, 1)", () => register({}, wrong(1)), "1"],
        ["register(close()), whose promise is no function", () => register(wrong(Promise.resolve())), "undefined"],
        ['register({}, "x", f)', () => register({}, wrong("x"), wrong(nothing)), "'x'"],
        ['unregister("x")', () => unregister(wrong("x")), "'x'"],
        ["unregister(a handle)", () => unregister(wrong(register(nothing))), "\\[?Registration.*"],
        ["unregister(a revoked proxy)", () => unregister(wrong(revoked.proxy)), "<.*>"],
        ["finalize({}, 1)", () => finalize({}, wrong(1)), "1"],
      ] as const
    ).map(([call, make, given]): Row => {
      const message = `must be a function, and ${given} was given\\. Pass the function itself and its arguments`;
      return [call, make, TypeError, "ERR_ATEXIT_NOT_A_FUNCTION", new RegExp(message)];
    }),
    ...[-1, -0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "1", 1n, null].flatMap((time): Row[] => {
      const message = /must be a number of milliseconds from 0 to 2147483647, and .* was given/;
      const shown = typeof time === "bigint" ? "1n" : typeof time === "string" ? `"${time}"` : String(time);
      return [
        [
          `register({ timeout: ${shown} }, f)`,
          () => register({ timeout: wrong(time) }, nothing),
          RangeError,
          "ERR_ATEXIT_TIME",
          message,
        ],
        [
          `configure({ timeout: ${shown} })`,
          () => configure({ timeout: wrong(time) }),
          RangeError,
          "ERR_ATEXIT_TIME",
          message,
        ],
        [
          `configure({ grace: ${shown} })`,
          () => configure({ grace: wrong(time) }),
          RangeError,
          "ERR_ATEXIT_TIME",
          message,
        ],
      ];
    }),
    [
      "register({ name: 1 }, f)",
      () => register({ name: wrong(1) }, nothing),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /name must be a string/,
    ],
    ...[256, 1.5, -1, "1", Number.NaN, Number.POSITIVE_INFINITY, null, true, 3n].map((code): Row => [
      `exit(${typeof code === "string" ? `"${code}"` : String(code)})`,
      () => exit(wrong(code)),
      RangeError,
      "ERR_ATEXIT_EXIT_CODE",
      /must be an integer from 0 to 255, and .* was given/,
    ]),
    ...["SIGNOPE", "SIGKILL", "SIGSTOP", "sigterm", "TERM", 15, undefined, "toString"].map((signal): Row => [
      `configure({ signals: [${String(signal)}] })`,
      () => configure({ signals: [wrong(signal)] }),
      RangeError,
      "ERR_ATEXIT_SIGNAL",
      /no signal that can be listened to.*Pass names such as "SIGTERM"/,
    ]),
    [
      'configure({ signals: "SIGTERM" })',
      () => configure({ signals: wrong("SIGTERM") }),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /signals must be an array such as/,
    ],
    ["configure(5_000)", () => configure(wrong(5_000)), TypeError, "ERR_ATEXIT_OPTIONS", /an object such as/],
    ["configure(null)", () => configure(wrong(null)), TypeError, "ERR_ATEXIT_OPTIONS", /an object such as/],
    ["configure()", () => configure(wrong(undefined)), TypeError, "ERR_ATEXIT_OPTIONS", /an object such as/],
    [
      "configure({ gracePeriod: 1 })",
      () => configure(wrong({ gracePeriod: 1 })),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /one of grace, timeout, signals, processExit, afterSignal, .*, and 'gracePeriod' was given/,
    ],
    [
      'configure({ processExit: "never" })',
      () => configure({ processExit: wrong("never") }),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /processExit must be "wait" or "sync", and 'never' was given/,
    ],
    [
      "configure({ afterSignal: 1 })",
      () => configure({ afterSignal: wrong(1) }),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /afterSignal must be "signal" or "code" or 0, and 1 was given/,
    ],
    [
      "configure({ report: console })",
      () => configure({ report: wrong(console) }),
      TypeError,
      "ERR_ATEXIT_OPTIONS",
      /report must be a function/,
    ],
    [
      'configure({ doubledWithin: "1s" })',
      () => configure({ doubledWithin: wrong("1s") }),
      RangeError,
      "ERR_ATEXIT_TIME",
      /doubledWithin must be a number of milliseconds/,
    ],
    ["exitNow(256)", () => exitNow(256), RangeError, "ERR_ATEXIT_EXIT_CODE", /from 0 to 255/],
    ...["x", 1, null, undefined, Symbol("x")].map((thing): Row => [
      `finalize(${String(thing)}, f)`,
      () => finalize(wrong(thing), nothing),
      TypeError,
      "ERR_ATEXIT_NOT_AN_OBJECT",
      /Only an object can be garbage-collected, and .* was given\. Use register\(\)/,
    ]),
    [
      "finalize(o, f, o)",
      () => finalize(object, (_: object) => {}, object),
      TypeError,
      "ERR_ATEXIT_KEEPS_ALIVE",
      /Pass what the cleanup needs of it/,
    ],
    ["finalize(f, f)", () => finalize(nothing, nothing), TypeError, "ERR_ATEXIT_KEEPS_ALIVE", /keep it alive/],
  ];

  for (const [call, make, Class, code, message] of rows) {
    it(`${call} throws a ${Class.name} with ${code}, which says what to pass`, () => {
      const settings = configure({});
      assert.throws(make, (error) => {
        assert.ok(error instanceof Class);
        assert.equal((error as { code?: unknown }).code, code);
        assert.match(error.message, message);
        return true;
      });
      clear(); // what a row itself has registered
      assert.deepEqual(configure({}), settings, "nothing was set");
    });
  }

  it("registers nothing, and watches nothing", () => {
    const { exit, emit } = process;
    assert.throws(() => register(wrong("x")));
    assert.throws(() => register({ timeout: -1 }, nothing));
    assert.throws(() => finalize(object, wrong(1)));
    assert.equal(count(), 0);
    assert.deepEqual([process.exit === exit, process.emit === emit], [true, true]);
  });

  it("is not one at the borders of what is allowed", () => {
    for (const timeout of [0, 0.5, 2 ** 31 - 1]) {
      assert.doesNotThrow(() => register({ timeout }, nothing));
      assert.doesNotThrow(() => configure({ timeout }));
    }
    configure({ timeout: undefined });
    assert.doesNotThrow(() => register({}, nothing));
    assert.equal(count(), 4);
  });
});
