// A process is ended only if it is that process, or of its tree: numbers are given
// again, groups are shared, and some members are not to be ended.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isRecipe } from "../../../src/durable/recipes/recipe.ts";
import { urlOf } from "../../support/package-under-test.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { CONTAINER, isAlive } from "../../support/processes.ts";
import { type Ended, linesOf, run, until } from "../../support/run.ts";

const root = { skip: process.getuid?.() !== 0 && "needs root" };

const HEAD = `
  import { spawn } from "node:child_process";
  import { once } from "node:events";
  import fs from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  import { count, run } from ${JSON.stringify(urlOf("atexit"))};
  import { kill, recover, remove } from ${JSON.stringify(urlOf("atexit/durable"))};
  import { child, childEnvironment } from ${JSON.stringify(urlOf("atexit/resources"))};
  const { WORK } = process.env;
  const stateOf = (pid) => { try { return fs.readFileSync("/proc/" + pid + "/stat", "utf8").replace(/^.*\\) /s, "")[0]; } catch { return undefined; } };
  const isAlive = (pid) => !["Z", "X", undefined].includes(stateOf(pid));
  const until = async (isSo) => { while (!isSo()) await sleep(2); };
  const line = async ({ stdout }) => String((await once(stdout, "data"))[0]).trim();
`;

/** Writes a program into a place. */
function written(place: Place, name: string, source: string): string {
  const file = join(place.work, name);
  writeFileSync(file, HEAD + source);
  return file;
}

/**
 * Runs a program in a pid namespace, where it chooses the pids. The first process
 * of it is a shell, which takes leave of orphans that have ended.
 */
function runInNamespace(place: Place, source: string): Promise<Ended> {
  const file = written(
    place,
    "program.mjs",
    `
      const given = (pid) => fs.writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
      /** Starts a group under that number; its leader ends, and its member stays. */
      const strangers = async (number, command = "sleep 300 >/dev/null & echo $!") => {
        await until(() => stateOf(number) === undefined);
        given(number); // no other thread of this program begins in between
        const leader = spawn("sh", ["-c", command], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
        if (leader.pid !== number) throw new Error("the number was not given again");
        const member = Number(await line(leader));
        if (!command.endsWith("wait")) await until(() => stateOf(number) === undefined);
        return member;
      };
      /** A program that is killed when it has registered the end of a child, with the child's pid and its member's. */
      const leftBehind = async (body) => {
        fs.writeFileSync(WORK + "/owner.mjs", ${JSON.stringify(HEAD)} + body + '; process.kill(process.pid, "SIGKILL");');
        const owner = spawn(process.execPath, [WORK + "/owner.mjs"], { stdio: ["ignore", "pipe", "inherit"] });
        const ended = once(owner, "exit");
        const pids = (await line(owner)).split(" ").map(Number);
        await ended;
        return pids;
      };
      const over = async (...pids) => {
        for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
        await until(() => pids.every((pid) => stateOf(pid) === undefined));
      };
      ${source}
      process.exit();`,
  );
  const shell = ["sh", "-c", '"$0" "$1"; exit $?', process.execPath, file];
  return run("unshare", [...CONTAINER, ...shell], { env: { ...place.environment, ATEXIT_GUARD: "off" } });
}

const LEAVES_ONE = `["-c", "sleep 300 >/dev/null & echo $!; read _"], { detached: true, stdio: ["pipe", "pipe", "ignore"] }`;

describe("a number that was given again", root, () => {
  const rows: readonly (readonly [name: string, source: string, printed: string])[] = [
    ...["kill(short)", "kill(short, { grace: 0 })", "child(short)", "child(short, { env: childEnvironment() })"].map(
      (call) =>
        [
          `a pid, after the child's end was heard: ${call}`,
          `const short = spawn("true", { stdio: "ignore" });
           await once(short, "exit");
           given(short.pid);
           const stranger = spawn("sleep", ["300"], { stdio: "ignore", detached: true });
           ${call};
           await run();
           console.log(stranger.pid === short.pid, isAlive(stranger.pid));`,
          "true true\n",
        ] as const,
    ),
    [
      "a group, after a child that left nobody",
      `const short = spawn("true", { stdio: "ignore", detached: true });
       kill(short);
       await once(short, "exit");
       const member = await strangers(short.pid);
       console.log(count());
       await run();
       console.log(isAlive(member));`,
      "0\ntrue\n",
    ],
    [
      "a group, after a child whose member has ended, too",
      `const leader = spawn("sh", ${LEAVES_ONE});
       kill(leader);
       const own = Number(await line(leader));
       leader.stdin.end();
       await once(leader, "exit");
       await over(own);
       const member = await strangers(leader.pid);
       await run().catch(({ code }) => console.log(code));
       console.log(isAlive(member));`,
      "ERR_ATEXIT_REPLACED\ntrue\n",
    ],
    ...[
      ["whose leader has ended", ""],
      ["whose leader lives", `, "sleep 300 >/dev/null & echo $!; wait"`],
    ].map(
      ([which, command]) =>
        [
          `a group ${which}, at the next start`,
          `const [pid, own] = await leftBehind(\`
             const leader = spawn("sh", ${LEAVES_ONE});
             const own = await line(leader);
             kill(leader, { grace: 0 });
             fs.writeSync(1, leader.pid + " " + own);\`);
           await over(own, pid);
           const member = await strangers(pid${command});
           const [{ outcome }] = await recover();
           console.log(outcome, isAlive(member));`,
          "left alone true\n",
        ] as const,
    ),
    [
      "but not a group that has never been empty, at the next start",
      `const [pid, own, later] = await leftBehind(\`
         const leader = spawn("sh", ["-c", "sleep 300 >/dev/null & echo $!; read _; sleep 300 >/dev/null & echo $!; read _"], { detached: true, stdio: ["pipe", "pipe", "ignore"] });
         const own = await line(leader);
         await sleep(50);
         kill(leader, { grace: 0 });
         leader.stdin.write("on\\\\n");
         const later = await line(leader);
         fs.writeSync(1, [leader.pid, own, later].join(" "));\`);
       await until(() => stateOf(pid) === undefined);
       const [{ outcome }] = await recover();
       console.log(outcome, isAlive(own), isAlive(later));`,
      "done false false\n",
    ],
  ];
  for (const [name, source, printed] of rows) {
    test(name, () =>
      inPlace(async (place) => {
        const { stdout, stderr } = await runInNamespace(place, source);
        assert.equal(stdout, printed, stderr);
      }),
    );
  }
});

test("/proc of another pid namespace: nothing is registered", root, () =>
  inPlace(async (place) => {
    const file = written(
      place,
      "program.mjs",
      `const started = spawn("sleep", ["300"], { stdio: "ignore" });
       try { kill(started); } catch ({ code, message }) { console.log(code, message, count()); }
       started.kill("SIGKILL");`,
    );
    const { stdout, stderr } = await run("unshare", ["--pid", "--fork", "--kill-child", process.execPath, file], {
      env: place.environment,
    });
    assert.match(stdout, /^ERR_ATEXIT_PROCESS \d+ cannot be found: \/proc shows .* 0\n$/, stderr);
  }),
);

describe("members that are not to be ended", () => {
  for (const [how, options] of [
    ["found by their parents", "{}"],
    ["found by their mark", "{ env: childEnvironment() }"],
  ]) {
    test(`the guard of a child's own program, ${how}`, () =>
      inPlace(async (place) => {
        const scratch = join(place.work, "scratch");
        mkdirSync(scratch);
        const inner = written(
          place,
          "inner.mjs",
          `remove(WORK + "/scratch"); setInterval(() => {}, 1_000); console.log("ready");`,
        );
        const { stdout, stderr } = await place.run(`${HEAD}
          const options = ${options};
          const program = spawn(process.execPath, [${JSON.stringify(inner)}], { stdio: ["ignore", "pipe", "inherit"], ...options });
          await line(program);
          // Its guard is a program of its own by now.
          const guard = () => fs.readFileSync("/proc/" + program.pid + "/task/" + program.pid + "/children", "utf8").trim();
          await until(() => fs.readFileSync("/proc/" + guard() + "/cmdline", "utf8").includes("atexit-guard"));
          await child(program, { signal: "SIGKILL", ...options }).end();
          console.log(isAlive(program.pid));`);
        assert.equal(stdout, "false\n", stderr);
        await until(() => !existsSync(scratch));
      }));
  }

  test("those in the group of a sibling that this process is in, too", () =>
    inPlace(async (place) => {
      const file = written(
        place,
        "program.mjs",
        `const leader = Number(fs.readFileSync("/proc/self/stat", "utf8").replace(/^.*\\) /s, "").split(" ")[2]);
         kill(leader, { grace: 100 });
         await run();
         console.log(isAlive(leader));`,
      );
      const pipeline = `set -m; sleep 300 | "$0" "$1" | { cat; echo survived; }`;
      const { stdout, stderr } = await run("bash", ["-c", pipeline, process.execPath, file], {
        env: place.environment,
      });
      assert.equal(stdout, "false\nsurvived\n", stderr);
    }));

  test("those that the process descends from which carries it out", () =>
    inPlace(async (place) => {
      const recovering = written(
        place,
        "recover.mjs",
        "for (const { outcome, why } of await recover()) console.log(outcome, why);",
      );
      await place.run(
        `${HEAD}
        const script = 'while kill -0 $PPID 2>/dev/null; do sleep 0.02; done; sleep 300 & echo $! >"$WORK/sibling"; "$0" "$1" >"$WORK/out"; echo survived >>"$WORK/out"';
        const shell = spawn("sh", ["-c", script, process.execPath, ${JSON.stringify(recovering)}], { stdio: "ignore", detached: true });
        kill(shell, { grace: 0 });
        process.kill(process.pid, "SIGKILL");`,
        { env: { ATEXIT_GUARD: "off" } },
      );
      await until(() => linesOf(join(place.work, "out")).includes("survived"));
      assert.match(linesOf(join(place.work, "out"))[0] as string, /^failed .* would end this process/);
      assert.ok(!isAlive(Number(linesOf(join(place.work, "sibling"))[0])));
    }));
});

test("a member of another user saves no other, and is told", root, () =>
  inPlace(async (place) => {
    const { stdout, stderr } = await place.run(
      `${HEAD}
      const drop = "setpriv --reuid 65534 --regid 65534 --clear-groups";
      const script = "sleep 300 >/dev/null & echo $!; " + \`\${drop} sleep 300 >/dev/null & echo $!; \`.repeat(2) + \`read _; exec \${drop} sleep 300\`;
      const tree = spawn("sh", ["-c", script], { detached: true, stdio: ["pipe", "pipe", "ignore"] });
      let pids = "";
      tree.stdout.on("data", (text) => (pids += text));
      await until(() => pids.split("\\n").length === 4);
      const [others, ...own] = [...pids.trim().split("\\n").map(Number), tree.pid];
      fs.writeFileSync(WORK + "/others", others + "\\n");
      const isDropped = (pid) => /^Uid:\\t65534/m.test(fs.readFileSync("/proc/" + pid + "/status", "utf8"));
      tree.stdin.write("\\n");
      await until(() => own.every(isDropped));
      fs.chmodSync(process.env.ATEXIT_DIR + "/..", 0o711);
      fs.chownSync(process.env.ATEXIT_DIR, 65534, 65534);
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      kill(tree, { grace: 100 });
      await run().catch(({ code, message }) => console.log(code, message.includes(others + " may not be signalled")));
      console.log(isAlive(others), own.map(isAlive).join());
      process.exit();`,
      { env: { ATEXIT_GUARD: "off" } },
    );
    process.kill(Number(linesOf(join(place.work, "others"))[0]), "SIGKILL");
    assert.equal(stdout, "ERR_ATEXIT_STILL_THERE true\ntrue false,false,false\n", stderr);
  }),
);

test("a process whose first thread has ended, and whose others go on", () =>
  inPlace(async (place) => {
    const exit = process.arch === "arm64" ? 93 : 60;
    const python = `
import ctypes, threading, time
threading.Thread(target=lambda: time.sleep(300)).start()
print("ready", flush=True)
ctypes.CDLL(None).syscall(${exit}, 0)`;
    const { stdout, stderr } = await place.run(`${HEAD}
      const threads = spawn("python3", ["-c", ${JSON.stringify(python)}], { stdio: ["ignore", "pipe", "inherit"] });
      await line(threads);
      await until(() => stateOf(threads.pid) === "Z");
      const registered = kill(threads.pid, { grace: 100 });
      const exited = once(threads, "exit");
      await registered.run();
      console.log(...await exited);`);
    assert.match(stdout, /^null SIG(?:TERM|KILL)\n$/, stderr);
  }));

for (const [what, grace, expected] of [
  ["hears the signal, and goes on", 60_000, "7 null"],
  ["is killed all the same", 0, "null SIGKILL"],
] as const) {
  test(`a process that is stopped ${what}`, () =>
    inPlace(async (place) => {
      const { stdout, stderr } = await place.run(`${HEAD}
        const stopped = spawn("sh", ["-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done"], { stdio: ["ignore", "pipe", "ignore"] });
        await line(stopped);
        stopped.kill("SIGSTOP");
        await until(() => stateOf(stopped.pid) === "T");
        const exited = once(stopped, "exit");
        await child(stopped, { grace: ${grace} }).end();
        console.log(...await exited);`);
      assert.equal(stdout, `${expected}\n`, stderr);
    }));
}

test("a recipe with notes that are none is no recipe", () => {
  const sound = { do: "kill", pid: 7, start: "1", leads: true, signal: "SIGTERM", grace: 0 };
  assert.ok(isRecipe({ ...sound, seen: 3, members: [[8, "2"]] }));
  for (const seen of ["3", null]) assert.ok(!isRecipe({ ...sound, seen }));
  for (const members of [null, {}, [8], [[8]], [["8", "2"]], [[1, "2"]], [[-8, "2"]], [[8, 2]], [[8, "2", "3"]]]) {
    assert.ok(!isRecipe({ ...sound, members }), JSON.stringify(members));
  }
});
