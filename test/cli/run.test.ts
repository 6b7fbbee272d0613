// atexit run: what it passes through, and what is clean after each end.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, isAlive, type Place, until } from "../durable/support.js";
import { nodes } from "../support/nodes.js";
import { linesOf, printed, run, statusOf } from "../support/run.js";
import { atexit, CLI, environmentOf } from "./support.js";

const sh = (script: string) => ["run", "--", "sh", "-c", script];

describe("the exit status is the command's", () => {
  test("all 256 codes", () =>
    inPlace(async (place) => {
      const codes = Array.from({ length: 256 }, (_, code) => code);
      const wrong: string[] = [];
      const some = async () => {
        for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
          const ended = await atexit(place, sh(`exit ${code}`));
          if (statusOf(ended) !== String(code) || ended.stderr !== "") wrong.push(`${code}: ${statusOf(ended)}`);
        }
      };
      await Promise.all([some(), some(), some()]);
      assert.deepEqual(wrong, []);
    }));

  for (const { line, path } of nodes) {
    test(`death by each signal that has a name (Node ${line})`, () =>
      inPlace(async (place) => {
        const ignored = new Set([
          "SIGCHLD",
          "SIGCONT",
          "SIGURG",
          "SIGWINCH",
          "SIGSTOP",
          "SIGTSTP",
          "SIGTTIN",
          "SIGTTOU",
        ]);
        const signals = Object.keys(constants.signals).filter((name) => !ignored.has(name));
        const sameNumber = (a: string, b: string) =>
          constants.signals[a as NodeJS.Signals] === constants.signals[b as NodeJS.Signals];
        const wrong: string[] = [];
        const some = async () => {
          for (let signal = signals.pop(); signal !== undefined; signal = signals.pop()) {
            const number = constants.signals[signal as NodeJS.Signals];
            const ended = await atexit(place, sh(`ulimit -c 0; kill -${number} $$`), { node: path });
            if (!sameNumber(statusOf(ended), signal)) wrong.push(`${signal}: ${statusOf(ended)} ${ended.stderr}`);
          }
        };
        await Promise.all([some(), some()]);
        assert.deepEqual(wrong, []);
      }));
  }

  test("126 where it cannot be executed, 127 where there is none, each with a word", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "file"), "");
      const cannot = await atexit(place, ["run", "--", "./file"]);
      assert.deepEqual([cannot.code, cannot.stderr], [126, "atexit: ./file: it cannot be executed: see its mode\n"]);
      const none = await atexit(place, ["run", "--", "no-such-command"]);
      assert.deepEqual([none.code, none.stderr], [127, "atexit: no-such-command: there is no such command\n"]);
    }));
});

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
      const own = Object.entries(environmentOf(place)).filter(([, value]) => value !== undefined);
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
        env: environmentOf(place),
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

  test("the terminal, whose Ctrl-C reaches the command once", () =>
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
      const child = spawn("python3", [file, process.execPath, CLI, ...sh(script)], {
        env: environmentOf(place),
        stdio: ["ignore", "pipe", "inherit"],
      });
      let stdout = "";
      child.stdout.on("data", (chunk) => (stdout += chunk));
      const code = await new Promise((resolve) => child.once("close", resolve));
      assert.deepEqual([code, stdout.replace("^C", "")], [5, "a terminal\nready\n1 interrupts\n"]);
    }));
});

/** Everything that can be asked for, and a command with a family. */
const everything = (place: Place, script: string) => [
  "run",
  ...[
    "--on-exit",
    `sh -c 'echo first >>"$WORK/order"; ls "$WORK/scratch" "$WORK/lock" 2>/dev/null | wc -l >>"$WORK/order"'`,
  ],
  ...["--lock", join(place.work, "lock")],
  ...["--rm", join(place.work, "scratch")],
  ...["--temp-dir", "PRIVATE"],
  ...["--on-exit", `sh -c 'echo last >>"$WORK/order"; ls "$WORK/scratch" >>"$WORK/order"'`],
  ...["--grace", "2s"],
  "--",
  "sh",
  "-c",
  `mkdir "$WORK/scratch"; touch "$WORK/scratch/file"; echo "$PRIVATE" >"$WORK/private"
   sh -c 'echo $$ >>"$WORK/pids"; exec sleep 1000' &
   sh -c 'setsid sh -c "echo \\$\\$ >>\\"$WORK/pids\\"; exec sleep 1000" &'
   echo $$ >>"$WORK/pids"
   while [ "$(wc -l <"$WORK/pids")" -lt 3 ]; do sleep 0.02; done
   test -d "$PRIVATE" && test -e "$WORK/lock" && echo ready
   ${script}`,
];

const ends: Record<string, readonly [script: string, status: string, act?: NodeJS.Signals]> = {
  "the command's end": ["exit 3", "3"],
  "the command's death": ["kill -KILL $$", "SIGKILL"],
  "SIGTERM to atexit": ["echo go; exec sleep 1000", "SIGTERM", "SIGTERM"],
  "SIGINT to atexit": ["echo go; exec sleep 1000", "SIGINT", "SIGINT"],
  "SIGTERM, which the command ignores": ["trap '' TERM; echo go; while :; do sleep 1; done", "SIGKILL", "SIGTERM"],
  "SIGKILL to atexit": ["echo go; exec sleep 1000", "SIGKILL", "SIGKILL"],
};

for (const { line, path } of nodes) {
  describe(`what is clean afterwards (Node ${line})`, { concurrency: 2 }, () => {
    for (const [name, [script, status, signal]] of Object.entries(ends)) {
      test(`${name}: descendants, then the options in reverse`, () =>
        inPlace(async (place) => {
          const ended = await atexit(place, everything(place, script), {
            node: path,
            act: async (child) => {
              if (signal === undefined) return;
              await printed(child, "ready\ngo\n");
              child.kill(signal);
            },
          });
          assert.equal(statusOf(ended), status, ended.stderr);
          await place.quiet(); // the guard, where it was its turn
          const pids = linesOf(join(place.work, "pids")).map(Number);
          assert.equal(pids.length, 3);
          assert.deepEqual(pids.filter(isAlive), []);
          for (const path of ["scratch", "lock"].map((name) => join(place.work, name)))
            assert.ok(!existsSync(path), path);
          assert.ok(!existsSync(linesOf(join(place.work, "private"))[0] as string));
          // The last option first, while what the others made is there; the first one last, still under the lock.
          assert.deepEqual(linesOf(join(place.work, "order")), ["last", "file", "first", "1"]);
          assert.deepEqual(place.left(), []);
        }));
    }
  });
}

test("a lock that is held: 75, with who and what to do; --wait waits for it", () =>
  inPlace(async (place) => {
    const lock = join(place.work, "lock");
    const first = await atexit(place, ["run", "--lock", lock, "--", "sh", "-c", "echo ready; read line"], {
      stdio: ["pipe", "pipe", "pipe"],
      act: async (child) => {
        await printed(child, "ready\n");
        writeFileSync(join(place.work, "its"), "");
        const others = ["--rm", join(place.work, "its"), "--on-exit", `touch ${join(place.work, "ran")}`];
        const second = await atexit(place, ["run", ...others, "--lock", lock, "--", "touch", join(place.work, "ran")]);
        assert.equal(second.code, 75);
        assert.match(second.stderr, new RegExp(`^atexit: ${lock} is held by process ${child.pid} .*--wait 30s\\.\n$`));
        assert.ok(!existsSync(join(place.work, "ran")));
        assert.ok(existsSync(join(place.work, "its")), "what belongs to the holder stays");
        const waiting = atexit(place, ["run", "--lock", lock, "--wait", "60s", "--", "touch", join(place.work, "ran")]);
        setTimeout(() => child.stdin?.end(), 300);
        assert.equal((await waiting).code, 0);
        assert.ok(existsSync(join(place.work, "ran")));
      },
    });
    assert.equal(first.code, 1, "read saw the end of its input");
  }));

test("--end-with-parent: it ends when whoever started it was killed", () =>
  inPlace(async (place) => {
    const script = `echo $$ >"$WORK/pid"; exec sleep 1000`;
    const parent = spawn(
      process.execPath,
      [
        "-e",
        `require("child_process").spawn(process.execPath, ${JSON.stringify([CLI, "run", "--end-with-parent", "--rm", join(place.work, "made"), "--", "sh", "-c", `touch "$WORK/made"; ${script}`])}, { stdio: "ignore" }); setInterval(() => {}, 1000)`,
      ],
      { env: environmentOf(place), stdio: "ignore" },
    );
    await until(() => linesOf(join(place.work, "pid")).length === 1);
    const pid = Number(linesOf(join(place.work, "pid"))[0]);
    parent.kill("SIGKILL");
    await until(() => !isAlive(pid) && !existsSync(join(place.work, "made")));
  }));

test("a cleanup that fails is told, and turns success into failure", () =>
  inPlace(async (place) => {
    const ended = await atexit(place, ["run", "--on-exit", "sh -c 'echo seen; exit 3'", "--", "true"]);
    assert.deepEqual([ended.code, ended.stdout], [1, "seen\n"]);
    assert.match(ended.stderr, /sh -c .* ended with status 3/);
  }));

describe("command lines that make no sense end with 2, say what does, and do nothing", () => {
  for (const [args, said] of [
    [["run"], /needs a command/],
    [["run", "--rm"], /--rm/],
    [["run", "--nothing", "--", "true"], /--nothing/],
    [["run", "--grace", "soon", "--", "true"], /takes a time such as 500ms, 10s or 1\.5m/],
    [["run", "--on-exit", "echo 'open", "--", "true"], /a quote that is not closed/],
    [["run", "--on-exit", " ", "--", "true"], /takes a command/],
    [["run", "--temp-dir", "A=B", "--", "true"], /the name of a variable/],
    [["run", "--rm", "/", "--", "true"], /the root directory/],
    [["frobnicate"], /There is no command frobnicate: run, ps/],
    [["ps", "something"], /What is something to mean here/],
    [["log", "--lines", "none"], /--lines takes a number/],
    [["completion", "tcsh"], /takes one of bash, zsh, fish/],
  ] as const) {
    test(args.join(" "), () =>
      inPlace(async (place) => {
        const { code, stdout, stderr } = await atexit(place, args);
        assert.deepEqual([code, stdout], [2, ""], stderr);
        assert.match(stderr, said);
        assert.match(stderr, /^atexit: /);
        assert.ok(!stderr.includes("    at "), "no trace");
      }),
    );
  }
});

test("words as a shell has them, and nothing else of it", () =>
  inPlace(async (place) => {
    const text = String.raw`printf <%s> a 'b c' "d \"e\" $HOME" f\ g '' h"i"'j' * ${"`id`"} ;`;
    const { stdout } = await atexit(place, ["run", "--on-exit", text, "--", "true"]);
    assert.equal(stdout, '<a><b c><d "e" $HOME><f g><><hij><*><`id`><;>');
  }));
