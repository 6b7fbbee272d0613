// A listener of `exit` comes after all cleanups, and is told the status that the
// process ends with: what a coverage tool, or a wrapper's summary, writes last.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { statusOf } from "../support/run.ts";

const ways: Record<string, { readonly leave: string; readonly kind: string; readonly status: string }> = {
  "the natural end": { leave: "", kind: "end", status: "0" },
  "process.exit()": { leave: "process.exit();", kind: "exit", status: "0" },
  "process.exit(3)": { leave: "process.exit(3);", kind: "exit", status: "3" },
  "exit(4)": { leave: "exit(4);", kind: "exit", status: "4" },
  "a throw": { leave: "setImmediate(() => { throw new Error('thrown'); });", kind: "uncaughtException", status: "1" },
  "a rejection": { leave: "Promise.reject(new Error('rejected'));", kind: "unhandledRejection", status: "1" },
  SIGTERM: {
    leave: "setInterval(() => {}, 1_000); process.kill(process.pid, 'SIGTERM');",
    kind: "signal",
    status: "SIGTERM",
  },
  "a top-level await that never settles": { leave: "await new Promise(() => {});", kind: "end", status: "13" },
};

const cleanups: Record<string, { readonly body: string; readonly status: (before: string) => string }> = {
  "that ends well": { body: "() => {}", status: (before) => before },
  "that fails": { body: "() => { throw new Error('failed'); }", status: (before) => (before === "0" ? "1" : before) },
  "that rejects": {
    body: "async () => { throw new Error('failed'); }",
    status: (before) => (before === "0" ? "1" : before),
  },
  "that asks for another status": { body: "() => exit(5)", status: () => "5" },
  "that asks for another status later": { body: "async () => { await 0; exit(5); }", status: () => "5" },
};

const SAY = `import { writeSync } from "node:fs";
  const say = (...parts) => writeSync(1, \`\${parts.join(" ")}\\n\`);`;

/** What Node shows of a death by signal, and of a top-level await, of which it decides after the listeners. */
const told: Record<string, string> = { SIGTERM: "143", "13": "0" };

describe("a listener of `exit` comes last, once, with the final status", { concurrency: 3 }, () => {
  for (const [way, { leave, kind, status }] of Object.entries(ways)) {
    for (const [what, cleanup] of Object.entries(cleanups)) {
      test(`${way}, and a cleanup ${what}`, async () => {
        const ended = await runProgram(`${SAY}
          import { exit, exiting, register } from "atexit";
          process.on("exit", (code) => say("last", code, exiting.reason.kind, exiting.reason.signal ?? "none"));
          register(() => say("first registered"));
          register(${cleanup.body});
          ${leave}`);
        const final = cleanup.status(status);
        assert.equal(statusOf(ended), final, ended.stderr);
        const signal = kind === "signal" ? "SIGTERM" : "none";
        const isUnsettled = status === "13" && final === "13";
        const code = isUnsettled ? /^last (0|1|13) /m.exec(ended.stdout)?.[1] : (told[final] ?? final);
        assert.equal(ended.stdout, `first registered\nlast ${code} ${kind} ${signal}\n`);
      });
    }
  }

  test("exitNow(6)", async () => {
    const ended = await runProgram(`${SAY}
      import { exitNow, register } from "atexit";
      process.on("exit", (code) => say("last", code));
      register(() => say("never"));
      exitNow(6);`);
    assert.deepEqual([ended.stdout, statusOf(ended)], ["last 6\n", "6"]);
  });
});
