// Messages of this package hold up no shutdown where nobody reads standard error: a
// pipe that is full, or a terminal that Ctrl-S has stopped.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { withProgram } from "../support/program.ts";
import { run, withDirectory } from "../support/run.ts";

/** Opens a pipe, or a terminal, that nobody reads, fills it, and runs a command with it as standard error. */
const UNREAD = `
import fcntl, os, pty, subprocess, sys, termios
if sys.argv[1] == "a pipe":
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True: os.write(writer, b"x" * 512)
    except BlockingIOError: pass
    os.set_blocking(writer, True)
else:
    reader, writer = pty.openpty()
    termios.tcflow(writer, termios.TCOOFF)
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stderr=writer)
try: print("status", child.wait(20))
except subprocess.TimeoutExpired:
    child.kill()
    print("hangs")
`;

const program = (file: string) => `
  import { writeFileSync } from "node:fs";
  import { configure, register } from "atexit";
  configure({ grace: 5_000 });
  register(() => writeFileSync(${JSON.stringify(file)}, ""));
  for (let n = 0; n < 20; n += 1) register(async () => { throw new Error("failed"); });
  setInterval(() => {}, 1_000);
  process.kill(process.pid, "SIGTERM");`;

describe("standard error that nobody reads", { skip: process.platform !== "linux" }, () => {
  for (const kind of ["a pipe", "a terminal"]) {
    test(`${kind}: each cleanup has its turn, and the process ends by the signal, in time`, async () => {
      await withDirectory(async (directory) => {
        const file = join(directory, "cleaned-up");
        const began = performance.now();
        const { stdout, stderr } = await withProgram(program(file), "program.mjs", (path) =>
          run("python3", ["-c", UNREAD, kind, process.execPath, path]),
        );
        assert.equal(stdout, "status -15\n", stderr);
        assert.ok(existsSync(file));
        assert.ok(performance.now() - began < 9_000); // each message waits half a second for itself where one was not given up before
      });
    });
  }
});
