// Programs on a pseudo-terminal, and at the head of a pipe: the terminal is left as it
// was, cleanups run, and the status is what it is without this package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { noteMissing } from "../support/missing.ts";
import { withProgram } from "../support/program.ts";
import { run } from "../support/run.ts";

const noTerminal =
  spawnSync("script", ["--version"]).status !== 0 && noteMissing("programs on a terminal", "script(1) is missing");

/** Runs a shell command on a terminal of its own, where `$NODE $FILE` is the program; returns what is on it then. */
async function onTerminal(source: string, command: string): Promise<string> {
  return withProgram(source, "program.mjs", async (file) => {
    const env = { ...process.env, NODE: process.execPath, FILE: file, SHELL: "/bin/bash" };
    const { stdout } = await run("script", ["-qec", command, "/dev/null"], { env });
    return stdout.replaceAll("\r", "");
  });
}

const CLEANUP = `
  import { register } from "atexit";
  register(async () => { await new Promise((resolve) => setTimeout(resolve, 50)); console.log("cleaned up"); });`;

describe("the terminal after a program in raw mode", { concurrency: 2, skip: noTerminal }, () => {
  const leaves = {
    SIGINT: ["process.kill(process.pid, 'SIGINT');", "130"],
    SIGTERM: ["process.kill(process.pid, 'SIGTERM');", "143"],
    "process.exit": ["process.exit(3);", "3"],
    "a throw": ["setTimeout(() => { throw new Error('thrown'); });", "1"],
    "the natural end": ["process.stdin.pause(); process.stdin.unref();", "0"],
  } as const;
  const prompts = {
    "stdin.setRawMode()": "process.stdin.setRawMode(true).resume();",
    "a readline prompt": `
      import { createInterface, emitKeypressEvents } from "node:readline";
      const prompt = createInterface({ input: process.stdin, output: process.stdout });
      prompt.question("who? ", () => {});`,
  };
  for (const [what, prompt] of Object.entries(prompts)) {
    for (const [way, [leave, status]] of Object.entries(leaves)) {
      test(`${what}, ${way}: it echoes, and reads lines`, async () => {
        const said = await onTerminal(
          `${CLEANUP} ${prompt} setTimeout(() => { ${leave} }, 50);`,
          '$NODE $FILE; echo "status $?"; stty -a',
        );
        assert.match(said, /cleaned up/);
        assert.match(said, new RegExp(`^status ${status}$`, "m"));
        assert.match(said, /[^-]icanon\b/);
        assert.match(said, /[^-]echo\b/);
      });
    }
  }
});

describe("a program whose reader has enough: node program | head -1", { concurrency: 2 }, () => {
  const print = 'const print = () => { for (let n = 0; n < 1_000; n += 1) console.log("line " + n); };';
  const piped = async (source: string): Promise<string> =>
    withProgram(source, "program.mjs", async (file) => {
      const command = '"$0" "$1" | head -1; echo "status ${PIPESTATUS[0]}"';
      const { stdout, stderr } = await run("/bin/bash", ["-c", command, process.execPath, file]);
      return stdout + stderr.replaceAll(/^(?!cleaned up|Error: write EPIPE).*\n/gm, "");
    });
  const toStderr = CLEANUP.replace("console.log", "console.error");

  for (const [name, source, status, error] of [
    ["nobody listens to the error", "setInterval(print, 5);", 1, "Error: write EPIPE\n"],
    [
      "it ends as soon as nobody reads, as tools do",
      'process.stdout.on("error", (error) => process.exit(error.code === "EPIPE" ? 0 : 1)); setInterval(print, 5);',
      0,
      "",
    ],
  ] as const) {
    test(`${name}: its cleanups run, and it ends with ${status}`, async () => {
      const alone = await piped(`${print} ${source}`);
      const together = await piped(`${toStderr} ${print} ${source}`);
      assert.equal(alone, `line 0\nstatus ${status}\n${error}`);
      assert.equal(together, `line 0\nstatus ${status}\n${error}cleaned up\n`);
    });
  }

  test("a cleanup that goes on printing to nobody is no failure, and ends", async () => {
    const said = await piped(`
      ${CLEANUP.replace("console.log", "print(); await new Promise((resolve) => setTimeout(resolve, 50)); console.error")}
      ${print}
      process.stdout.on("error", () => process.exit(0));
      setInterval(print, 5);`);
    assert.equal(said, "line 0\nstatus 0\ncleaned up\n");
  });
});
