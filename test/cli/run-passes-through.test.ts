// atexit run: what its command is given is as without it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace } from "../support/place.ts";
import { printed, run, until } from "../support/run.ts";

const sh = (script: string) => ["run", "--", "sh", "-c", script];

describe("what is passed through", () => {
  test("arguments, standard input and output as they are, the environment with one variable more", () =>
    inPlace(async (place) => {
      const script = 'cat; printf "<%s>" "$@" >&2; env | sort';
      const ended = await atexit(place, ["run", "sh", "-c", script, "sh", "--rm", "a b", "", "--"], {
        stdio: ["pipe", "pipe", "pipe"],
        act: (child) => void child.stdin?.end("from stdin\n"),
      });
      assert.equal(ended.stderr, "<--rm><a b><><-->");
      const [first, ...environment] = ended.stdout.trimEnd().split("\n");
      assert.equal(first, "from stdin");
      const names = (lines: readonly string[]) =>
        lines.map((line) => line.split("=")[0]).filter((name) => /^[A-Z]\w+$/.test(name as string));
      const own = Object.entries(place.environment).filter(([, value]) => value !== undefined);
      const added = names(environment).filter((name) => !own.some(([known]) => known === name));
      assert.deepEqual(
        added.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name as string)),
        ["ATEXIT_CHILD"],
      );
    }));

  test("signals that are sent to it, and the command decides what comes of them", () =>
    inPlace(async (place) => {
      const signals = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "WINCH", "PWR"];
      const traps = signals.map((signal) => `trap 'echo ${signal}' ${signal}`).join("\n");
      const script = `${traps}\ntrap 'exit 9' XCPU\necho ready\nwhile :; do sleep 0.02; done`;
      const ended = await atexit(place, sh(script), {
        act: async (child) => {
          for (const emitter of [child, child.stdout]) emitter?.setMaxListeners(2 * signals.length + 10);
          await printed(child, "ready\n");
          for (const signal of signals) {
            const heard = printed(child, `${signal}\n`);
            child.kill(`SIG${signal}` as NodeJS.Signals);
            await heard;
          }
          child.kill("SIGXCPU");
        },
      });
      assert.deepEqual([ended.code, ended.stdout], [9, `ready\n${signals.join("\n")}\n`], ended.stderr);
    }));

  const state = (pid: number) =>
    / ([A-Z]) \d/.exec(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/\(.*\)/, ""))?.[1];
  const STOPPED = 'echo $$ >"$WORK/pid"; echo ready; read line; echo "$line"; exit 4';

  test("being stopped and continued", () =>
    inPlace(async (place) => {
      // A process group whose leader's parent is of the same session: others are never stopped by a terminal.
      const grouped = "import os, sys; os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])";
      const ended = await run("python3", ["-c", grouped, process.execPath, CLI, ...sh(STOPPED)], {
        env: place.environment,
        stdio: ["pipe", "pipe", "pipe"],
        act: async (child) => {
          await printed(child, "ready\n");
          const command = Number(readFileSync(join(place.work, "pid"), "utf8"));
          for (let n = 0; n < 5; n += 1) {
            child.kill("SIGTSTP");
            await until(() => state(child.pid as number) === "T" && state(command) === "T");
            child.kill("SIGCONT");
            await until(() => state(child.pid as number) !== "T" && state(command) !== "T");
          }
          child.stdin?.end("went on\n");
        },
      });
      assert.deepEqual([ended.code, ended.stdout], [4, "ready\nwent on\n"], ended.stderr);
    }));

  test("it does not stop where its command does not", () =>
    inPlace(async (place) => {
      const script = "trap 'echo heard' TSTP; trap 'exit 6' TERM; echo ready; while :; do sleep 0.02; done";
      const ended = await atexit(place, sh(script), {
        act: async (child) => {
          await printed(child, "ready\n");
          const heard = printed(child, "heard\n");
          child.kill("SIGTSTP");
          await heard;
          assert.notEqual(state(child.pid as number), "T");
          child.kill("SIGTERM");
        },
      });
      assert.equal(ended.code, 6, ended.stderr);
    }));

  for (const [what, before] of [
    ["", []],
    [", also one that has left the process group", ["setsid"]],
  ] as const)
    test(`the terminal, whose Ctrl-C reaches the command once${what}`, () =>
      inPlace(async (place) => {
        // A terminal of its own, at whose keyboard somebody presses Ctrl-C.
        const terminal = `
import os, pty, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
while b"ready" not in seen:
    seen += os.read(master, 1024)
os.write(master, b"\\x03")
while True:
    try:
        part = os.read(master, 1024)
    except OSError:
        break
    if not part:
        break
    seen += part
    if b"over" in seen:
        pass
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode().replace("\\r", ""))
sys.exit(os.waitstatus_to_exitcode(status))`;
        const script = `test -t 0 && test -t 1 && echo a terminal
        n=0; trap 'n=$((n + 1))' INT; echo ready
        while [ $n = 0 ]; do sleep 0.02; done
        sleep 0.3; echo "$n interrupts"; exit 5`;
        const file = join(place.work, "terminal.py");
        writeFileSync(file, terminal);
        const child = spawn("python3", [file, process.execPath, CLI, "run", "--", ...before, "sh", "-c", script], {
          env: place.environment,
          stdio: ["ignore", "pipe", "inherit"],
        });
        let stdout = "";
        child.stdout.on("data", (chunk) => (stdout += chunk));
        const code = await new Promise((resolve) => child.once("close", resolve));
        assert.deepEqual([code, stdout.replace("^C", "")], [5, "a terminal\nready\n1 interrupts\n"]);
      }));
});
