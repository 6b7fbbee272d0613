// Children and their descendants end with this process, on every way out; where
// execa leaves them behind, that is seen too.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { cannotMount, runWithMounts } from "../support/mounts.ts";
import { inPlace, type Place } from "../support/place.ts";
import { isAlive } from "../support/processes.ts";
import { linesOf, printed, statusOf, until } from "../support/run.ts";

const pids = ({ work }: Place) => linesOf(join(work, "pids")).map(Number);

/** Each writes its pid down, begins the next one, and waits. */
const families = {
  "a child": `echo $$ >>"$WORK/pids"; exec sleep 1000`,
  "a grandchild": `echo $$ >>"$WORK/pids"; sh -c 'echo $$ >>"$WORK/pids"; exec sleep 1000'`,
  "one in a session of its own": `echo $$ >>"$WORK/pids"; setsid sh -c 'echo $$ >>"$WORK/pids"; exec sleep 1000' & wait`,
  "one that ignores SIGTERM": `trap '' TERM; echo $$ >>"$WORK/pids"; while :; do sleep 1; done`,
  "an orphan": `echo $$ >>"$WORK/pids"; sh -c 'sh -c "echo \\$\\$ >>\\"$WORK/pids\\"; exec sleep 1000" & sleep 0.05'; exec sleep 1000`,
  "an orphan in a session of its own": `echo $$ >>"$WORK/pids"; sh -c 'setsid sh -c "echo \\$\\$ >>\\"$WORK/pids\\"; exec sleep 1000" & sleep 0.05'; exec sleep 1000`,
} as const;
const sizes = {
  "a child": 1,
  "a grandchild": 2,
  "one in a session of its own": 2,
  "one that ignores SIGTERM": 1,
  "an orphan": 2,
  "an orphan in a session of its own": 2,
};

const waysOut = {
  "the natural end": ["", "0"],
  "process.exit": ["process.exit(3);", "3"],
  "a throw": ["throw new Error('thrown');", "1"],
  SIGTERM: ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
  SIGKILL: ["process.kill(process.pid, 'SIGKILL');", "SIGKILL"],
  "process.abort()": ["process.abort();", "SIGABRT"],
} as const;

/** Starts a family, and leaves when all of it is there. */
const program = (start: string, size: number, leave: string) => `
  import { spawn } from "node:child_process";
  import { readFileSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  const env = process.env;
  const script = env.SCRIPT;
  ${start}
  for (;;) {
    let pids = [];
    try { pids = readFileSync(env.WORK + "/pids", "utf8").trim().split("\\n"); } catch {}
    if (pids.length === ${size}) break;
    await sleep(5);
  }
  await sleep(100); // those in between have ended
  ${leave}
`;

const OURS = `
  import { child, childEnvironment } from "atexit/resources";
  const started = spawn("sh", ["-c", script], { stdio: "ignore", env: childEnvironment() });
  child(started, { grace: 300 });
  started.unref();`;

describe("children", { concurrency: 2 }, () => {
  for (const [family, script] of Object.entries(families)) {
    for (const [way, [leave, status]] of Object.entries(waysOut)) {
      test(`${way}: ${family} is gone`, () =>
        inPlace(async (place) => {
          const size = sizes[family as keyof typeof sizes];
          const ended = await place.run(program(OURS, size, leave), {
            env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work, SCRIPT: script },
          });
          assert.equal(statusOf(ended), status, ended.stderr);
          assert.equal(pids(place).length, size);
          await until(() => !pids(place).some(isAlive));
          await place.quiet();
          assert.deepEqual(place.left(), []);
        }));
    }
  }
});

describe("what execa's cleanup leaves behind", { concurrency: 2 }, () => {
  const EXECA = `
    import { execa } from "execa";
    const started = execa("sh", ["-c", script], { stdio: "ignore", cleanup: true, KILL });
    started.catch(() => {});
    started.unref?.();`;
  const rows = [
    ["a grandchild", "process.exit", "", 1],
    ["a child", "SIGKILL", "", 1],
    ["a grandchild", "SIGKILL", "killDescendants: true", 2],
    ["one that ignores SIGTERM", "process.exit", "", 1],
    ["an orphan in a session of its own", "process.exit", "killDescendants: true", 1],
  ] as const;
  for (const [family, way, option, count] of rows) {
    test(`${way}${option === "" ? "" : `, with ${option}`}: ${family}, ${count} alive`, () =>
      inPlace(async (place) => {
        const [leave, status] = waysOut[way];
        const source = program(EXECA.replace("KILL", option), sizes[family], leave);
        try {
          const ended = await place.run(source, {
            env: { ...process.env, WORK: place.work, SCRIPT: families[family] },
          });
          assert.equal(statusOf(ended), status, ended.stderr);
          // Long enough for whatever it does, and for a process to end that was asked to.
          await new Promise((resolve) => setTimeout(resolve, 300));
          assert.ok(pids(place).filter(isAlive).length >= count);
        } finally {
          for (const pid of pids(place).filter(isAlive)) process.kill(pid, "SIGKILL");
        }
      }));
  }
});

test("a child that ends by itself is forgotten, and one that could not be started is no error of this", () =>
  inPlace(async ({ run }) => {
    const { stdout, stderr } = await run(`
      import { spawn } from "node:child_process";
      import { once } from "node:events";
      import { count } from "atexit";
      import { child } from "atexit/resources";
      const short = child(spawn("true"));
      console.log(count());
      await once(short.process, "exit");
      console.log(count());
      await short.end();
      const missing = child(spawn("/nowhere/at/all"));
      const [error] = await once(missing.process, "error");
      console.log(error.code, count());
      await missing.end();`);
    assert.equal(stdout, "1\n0\nENOENT 0\n", stderr);
  }));

test("descendants of a child that had ended before it was given are found by their environment", () =>
  inPlace(async (place) => {
    const source = `
      import { spawn } from "node:child_process";
      import { once } from "node:events";
      import { readFileSync } from "node:fs";
      import { child, childEnvironment } from "atexit/resources";
      const { SCRIPT, WORK } = process.env;
      for (let n = 1; n <= 5; n += 1) {
        const env = childEnvironment();
        const started = spawn("sh", ["-c", SCRIPT], { stdio: "ignore", env });
        const exited = once(started, "exit");
        while (!readFileSync("/proc/" + started.pid + "/stat", "utf8").includes(") Z "));
        const build = child(started, { env });
        for (let found = 0; found < n; ) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          try { found = readFileSync(WORK + "/pids", "utf8").trim().split("\\n").length; } catch {}
        }
        await exited;
        await build.end();
      }
      console.log("ended");`;
    const script = `setsid sh -c 'echo $$ >>"$WORK/pids"; exec sleep 1000' &`;
    const env = { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work, SCRIPT: script };
    const { stdout, stderr } = await place.run(source, { env });
    assert.equal(stdout, "ended\n", stderr);
    assert.equal(pids(place).length, 5);
    assert.deepEqual(pids(place).filter(isAlive), []);
  }));

test("end() ends it politely first, once; release() lets it live", () =>
  inPlace(async ({ run }) => {
    const { stdout, stderr } = await run(`
      import { spawn } from "node:child_process";
      import { once } from "node:events";
      import { child } from "atexit/resources";
      const polite = spawn("sh", ["-c", "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.05; done"]);
      polite.stdout.on("data", (data) => process.stdout.write(data));
      const handle = child(polite);
      await once(polite.stdout, "data");
      const exited = once(polite, "exit");
      await Promise.all([handle.end(), handle.end()]);
      await handle.end();
      console.log("ended", ...await exited);
      const free = spawn("sh", ["-c", 'echo $$ >"$WORK/free"; exec sleep 1000'], { stdio: "ignore" });
      child(free).release();
      free.unref();
      console.log(free.pid);`);
    const [, pid = ""] = /ended 7 null\n(\d+)\n$/.exec(stdout) ?? [];
    assert.match(stdout, /^ready\nasked\nended 7 null\n\d+\n$/, stderr);
    assert.ok(isAlive(Number(pid)));
    process.kill(Number(pid), "SIGKILL");
  }));

describe("endWithParent()", { concurrency: 2 }, () => {
  const CLEANUP = `
    import { appendFileSync } from "node:fs";
    import { exiting, register } from "atexit";
    import { endWithParent } from "atexit/resources";
    register(async () => appendFileSync(process.env.WORK + "/trace", exiting.reason.kind + "\\n"));
  `;
  const trace = ({ work }: Place) => linesOf(join(work, "trace"));

  test("the end of standard input, of a server that reads it", () =>
    inPlace(async (place) => {
      const ended = await place.run(
        `${CLEANUP} endWithParent(); process.stdin.resume(); setInterval(() => {}, 1_000); console.log("ready");`,
        {
          stdio: ["pipe", "pipe", "pipe"],
          async act(child) {
            await printed(child, "ready");
            child.stdin?.end();
          },
        },
      );
      assert.deepEqual([ended.code, ended.stderr, trace(place)], [0, "", ["parent"]]);
    }));

  test("the parent's death, of a server that reads nothing; and of one in a session of its own", () =>
    inPlace(async (place) => {
      const server = `${CLEANUP}
        appendFileSync(process.env.WORK + "/pids", process.pid + "\\n");
        endWithParent({ interval: 20 });
        setInterval(() => {}, 1_000);`;
      const ended = await place.run(`
        import { spawn } from "node:child_process";
        import { readFileSync, writeFileSync } from "node:fs";
        import { setTimeout as sleep } from "node:timers/promises";
        const file = process.argv[1] + ".server.mjs";
        writeFileSync(file, ${JSON.stringify(server)});
        for (const detached of [false, true]) spawn(process.execPath, [file], { stdio: "ignore", detached });
        for (;;) {
          try { if (readFileSync(process.env.WORK + "/pids", "utf8").split("\\n").length === 3) break; } catch {}
          await sleep(5);
        }
        process.kill(process.pid, "SIGKILL");`);
      assert.equal(ended.signal, "SIGKILL");
      await until(() => trace(place).length === 2);
      await until(() => !pids(place).some(isAlive));
      assert.deepEqual(trace(place), ["parent", "parent"]);
    }));

  test("called after the parent's death: a channel that is closed, another parent, and an input that has ended, tell of it", () =>
    inPlace(async (place) => {
      const late = (begun: string, gone: string) => `${CLEANUP}
        import { once } from "node:events";
        appendFileSync(process.env.WORK + "/pids", process.pid + "\\n");
        ${begun}
        ${gone}
        endWithParent({ interval: 60_000 });
        setInterval(() => {}, 1_000);`;
      const servers = [
        late("", 'process.on("message", () => {}); await once(process, "disconnect");'),
        late(
          "const { ppid } = process;",
          "while (process.ppid === ppid) await new Promise((resolve) => setTimeout(resolve, 5));",
        ),
        late("", 'process.stdin.resume(); await once(process.stdin, "close");'),
      ];
      const ended = await place.run(`
        import { fork, spawn } from "node:child_process";
        import { readFileSync, writeFileSync } from "node:fs";
        import { setTimeout as sleep } from "node:timers/promises";
        const servers = ${JSON.stringify(servers)};
        const files = servers.map((_, index) => process.argv[1] + "." + index + ".mjs");
        servers.forEach((server, index) => writeFileSync(files[index], server));
        fork(files[0], { stdio: "ignore" });
        spawn(process.execPath, [files[1]], { stdio: "ignore" });
        spawn(process.execPath, [files[2]], { stdio: ["pipe", "ignore", "ignore"] });
        for (;;) {
          try { if (readFileSync(process.env.WORK + "/pids", "utf8").split("\\n").length === 4) break; } catch {}
          await sleep(5);
        }
        process.kill(process.pid, "SIGKILL");`);
      assert.equal(ended.signal, "SIGKILL");
      await until(() => trace(place).length === 3);
      await until(() => !pids(place).some(isAlive));
      assert.deepEqual(trace(place), ["parent", "parent", "parent"]);
    }));

  test("keeps nothing alive, and stops", () =>
    inPlace(async (place) => {
      const natural = await place.run(`${CLEANUP} endWithParent();`);
      assert.deepEqual([natural.code, trace(place)], [0, ["end"]]);
      const stopped = await place.run(
        `
          import { endWithParent } from "atexit/resources";
          endWithParent().stop();
          process.stdin.resume();
          process.stdin.on("end", () => setTimeout(() => console.log("goes on"), 10));
          console.log("ready");`,
        {
          stdio: ["pipe", "pipe", "pipe"],
          async act(child) {
            await printed(child, "ready");
            child.stdin?.end();
          },
        },
      );
      assert.equal(stopped.stdout, "ready\ngoes on\n");
    }));
});

describe("where /proc shows no processes", { skip: cannotMount("children without /proc") }, () => {
  const source = `
    import { spawn } from "node:child_process";
    import { kill } from "atexit/durable";
    import { child, tempDir } from "atexit/resources";
    const { WORK } = process.env;
    const family = (text, detached) => {
      const one = child(spawn("sh", ["-c", text], { stdio: ["ignore", "pipe", "ignore"], detached }), { grace: 200 });
      return new Promise((resolve) => one.process.stdout.once("data", () => resolve(one)));
    };
    const alone = await family('echo $$ | tee -a "$WORK/pids"; exec sleep 1000');
    await family('trap "" TERM; sleep 1000 & echo $$ $! | tr " " "\\n" | tee -a "$WORK/pids"; wait; wait', true);
    try {
      kill(alone.process);
    } catch ({ code }) {
      console.log(code);
    }
    tempDir({ dir: WORK });
    process.exit(3);`;

  test("a child and the group that it leads are ended all the same, and one warning says what is not", () =>
    inPlace(async (place) => {
      const ended = await runWithMounts(place, "mount -t tmpfs none /proc", source);
      assert.equal(statusOf(ended), "3", ended.stderr);
      assert.equal(ended.stdout, "ERR_ATEXIT_PROCESS\n");
      const [warning = "", ...others] = ended.stderr.split("\n");
      assert.match(warning, /^atexit: \/proc does not show .* but its other descendants are not, .*mount -t proc/);
      assert.deepEqual(others, [""]);
      assert.equal(pids(place).length, 3);
      await until(() => !pids(place).some(isAlive));
      assert.deepEqual(readdirSync(place.work).sort(), ["pids", "program.mjs"]);
    }));
});
