// exit(): to its caller it never returns.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { clear, SystemExit } from "../../src/index.ts";
import { evaluate } from "../support/program.ts";

afterEach(() => clear());

describe("exit()", () => {
  const rows: [call: string, status: number][] = [
    ["exit()", 0],
    ["exit(undefined)", 0],
    ["process.exitCode = 9; exit()", 9],
    ["exit(0)", 0],
    ["process.exitCode = 9; exit(0)", 0],
    ["exit(1)", 1],
    ["exit(255)", 255],
  ];
  for (const [call, status] of rows) {
    for (const [what, cleanup] of Object.entries({
      "no cleanup": "",
      "a synchronous cleanup": 'register(() => console.log("cleanup"));',
      "an asynchronous cleanup": 'register(async () => { await null; console.log("cleanup"); });',
    })) {
      it(`ends with ${status} for ${call}, with ${what}`, async () => {
        const { stdout, stderr, code } = await evaluate(`
          import { exit, register } from "atexit";
          ${cleanup}
          ${call};
          console.log("not reached");`);
        assert.deepEqual(
          { stdout, stderr, code },
          { stdout: cleanup === "" ? "" : "cleanup\n", stderr: "", code: status },
        );
      });
    }
  }

  it("never returns to its caller while cleanups are synchronous: not even `finally` is reached", async () => {
    const { stdout, code } = await evaluate(`
      import { exit, register } from "atexit";
      register(() => console.log("cleanup"));
      try { exit(3); } catch { console.log("caught"); } finally { console.log("finally"); }`);
    assert.deepEqual({ stdout, code }, { stdout: "cleanup\n", code: 3 });
  });

  it("unwinds its caller with a SystemExit, which holds the code, while there is something to wait for", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, register, SystemExit } from "atexit";
      register(async () => { await null; console.log("cleanup"); });
      try { exit(3); } catch (error) { console.log(error instanceof SystemExit, error instanceof Error, error.name, error.code); }
      console.log("swallowed");
      try { exit(4); } catch (error) { console.log(error.code); }`);
    assert.deepEqual(
      { stdout, stderr, code },
      { stdout: "true true SystemExit 3\nswallowed\n4\ncleanup\n", stderr: "", code: 3 },
    );
  });

  it("changes the code from inside a cleanup, and ends that cleanup", async () => {
    const { stdout, stderr, code } = await evaluate(`
      import { exit, register } from "atexit";
      register(() => console.log("below"));
      register(async () => {
        await null;
        exit(8);
        console.log("not reached");
      });
      exit(3);`);
    assert.deepEqual({ stdout, stderr, code }, { stdout: "below\n", stderr: "", code: 8 });
  });

  it("makes a SystemExit that says what it is", () => {
    const error = new SystemExit(3);
    assert.equal(error.code, 3);
    assert.match(error.message, /exiting with code 3.*let it pass/);
  });
});
