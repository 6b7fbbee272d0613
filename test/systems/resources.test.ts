// Locks, temporary files, children, servers and logs, on the system that this runs on.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { hasOpenLocks, isAlive, isWindows, LIMIT, Place, withPowerShell } from "./on-this-system.ts";

const STAY = 'say("ready"); setInterval(() => {}, 1_000);';

const hold = (lock: string) => `
  import { lockFile } from "atexit/resources";
  const lock = await lockFile(${JSON.stringify(lock)});
  say("held " + lock.isHeld());
  ${STAY}`;

const attempt = (lock: string, options = "") => `
  import { lockFile } from "atexit/resources";
  try {
    const lock = await lockFile(${JSON.stringify(lock)}${options});
    say("taken");
    lock.release();
  } catch (error) {
    say(error.name);
  }`;

test("a lock has one holder, also where the system seems to have started later; and another when that is killed", async (t) => {
  const place = new Place(t);
  const lock = place.file("lock");
  const holder = place.start(hold(lock));
  assert.equal(await holder.heard("held"), "true");
  for (const minutes of [0, 1, 600]) {
    const other = place.start(`
      import os from "node:os";
      import { syncBuiltinESMExports } from "node:module";
      const uptime = os.uptime;
      os.uptime = () => uptime() - ${minutes * 60};
      syncBuiltinESMExports();
      const { lockFile } = await import("atexit/resources");
      try { await lockFile(${JSON.stringify(lock)}); say("taken"); } catch (error) { say(error.name); }`);
    await other.ended();
    assert.deepEqual(other.lines, ["LockHeldError"], other.stderr);
  }
  await holder.kill();
  const next = place.start(attempt(lock, ", { wait: 20_000 }"));
  assert.deepEqual((await next.ended()).code, 0, next.stderr);
  assert.deepEqual(next.lines, ["taken"], next.stderr);
  assert.deepEqual(lockFiles(place), [], "nothing is left beside it");
});

test("a dead holder whose pid another process has by now is dead", { skip: !hasOpenLocks }, async (t) => {
  const place = new Place(t);
  const lock = place.file("lock");
  const holder = place.start(hold(lock), { ATEXIT_GUARD: "off" });
  await holder.heard("ready");
  await holder.kill();
  await new Promise((resolve) => setTimeout(resolve, 4_000)); // the start of a process is told in seconds
  const later = place.start(STAY);
  await later.heard("ready");
  for (const directory of [place.path, place.file("journals")]) place.givePid(holder.pid, later.pid, directory);
  const next = place.start(attempt(lock, ", { wait: 20_000 }"));
  await next.ended();
  assert.deepEqual(next.lines, ["taken"], next.stderr);
});

test("on a drive that is another machine's no kernel lock tells who is dead", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  const lock = place.file("lock");
  const holder = place.start(hold(lock), { ATEXIT_GUARD: "off" });
  await holder.heard("ready");
  await holder.kill();
  const later = place.start(STAY);
  await later.heard("ready");
  for (const directory of [place.path, place.file("journals")]) place.givePid(holder.pid, later.pid, directory);
  // As if the letter stood for a directory there.
  const distant = place.start(
    `
    import fs from "node:fs";
    const { native } = fs.realpathSync;
    fs.realpathSync.native = (path) => native(path).replace(/^[A-Z]:/i, "\\\\\\\\server\\\\share");
    const { lockFile } = await import("atexit/resources");
    try { await lockFile(${JSON.stringify(lock)}); say("taken"); } catch (error) { say(error.name); }`,
    { ATEXIT_GUARD: "off" },
  );
  await distant.ended();
  assert.deepEqual(distant.lines, ["LockHeldError"], distant.stderr);
  const next = place.start(attempt(lock, ", { wait: 20_000 }"));
  await next.ended();
  assert.deepEqual(next.lines, ["taken"], next.stderr);
});

test("a lock is taken and released a hundred times in one process, while others look at it", async (t) => {
  const place = new Place(t);
  const program = place.start(`
    import { lockFile } from "atexit/resources";
    import { openSync, closeSync } from "node:fs";
    for (let n = 0; n < 100; n += 1) {
      const lock = await lockFile(${JSON.stringify(place.file("lock"))}, { wait: 5_000 });
      const fd = openSync(lock.path, "r"); // as one does who asks whose it is
      lock.release();
      (await lockFile(lock.path, { wait: 5_000 })).release();
      closeSync(fd);
    }
    say("all");`);
  assert.equal((await program.ended()).code, 0, program.stderr);
  assert.deepEqual(program.lines, ["all"]);
  assert.deepEqual(lockFiles(place), []);
});

test("four processes take turns, and never two at a time", async (t) => {
  const place = new Place(t);
  place.write("inside", "");
  const source = `
    import { lockFile } from "atexit/resources";
    import { openSync, closeSync, unlinkSync } from "node:fs";
    for (let turn = 0; turn < 15; turn += 1) {
      const lock = await lockFile(${JSON.stringify(place.file("lock"))}, { wait: 50_000 });
      closeSync(openSync(${JSON.stringify(place.file("turn"))}, "wx")); // fails where another one is inside
      unlinkSync(${JSON.stringify(place.file("turn"))});
      lock.release();
    }
    say("all turns");`;
  const programs = [1, 2, 3, 4].map(() => place.start(source));
  for (const program of programs) {
    assert.equal((await program.ended()).code, 0, program.stderr);
    assert.deepEqual(program.lines, ["all turns"]);
  }
});

test("who waits for a lock, or has had it just now, ends as it would, and leaves nothing", async (t) => {
  const place = new Place(t);
  const holder = place.start(hold(place.file("lock")));
  await holder.heard("ready");
  const waiting = place.start(`
    import { lockFile, lockFileSync } from "atexit/resources";
    for (const take of [lockFile, lockFileSync]) {
      for (let n = 0; n < 20; n += 1) (await take(${JSON.stringify(place.file("other"))})).release();
    }
    lockFile(${JSON.stringify(place.file("lock"))}, { wait: 50_000 });
    say("waiting");
    process.exit(7);`);
  assert.deepEqual(await waiting.ended(), { code: 7, signal: null }, waiting.stderr);
  assert.equal(waiting.stderr, "");
  assert.deepEqual(waiting.lines, ["waiting"]);
  const left = readdirSync(place.path).filter((name) => name.startsWith("other") || name.includes(`-${waiting.pid}-`));
  assert.deepEqual(left, []);
});

test("what is in use for a moment is removed when it is free", async (t) => {
  const place = new Place(t);
  mkdirSync(place.file("tree"));
  place.write("tree/in use");
  const holder = place.start(`
    import { openSync } from "node:fs";
    // On Windows nobody else may open or remove it: UV_FS_O_EXLOCK.
    openSync(${JSON.stringify(place.file("tree/in use"))}, process.platform === "win32" ? 0x10000000 : "r");
    say("ready");
    process.stdin.once("data", () => setTimeout(() => process.exit(), 400));`);
  await holder.heard("ready");
  const program = place.start(`
    import { remove } from "atexit/durable";
    remove(${JSON.stringify(place.file("tree"))});
    say("registered");
    process.once("message", () => process.disconnect());`);
  await program.heard("registered");
  holder.child.stdin?.write("\n");
  program.child.send("end");
  assert.deepEqual(await program.ended(), { code: 0, signal: null }, program.stderr);
  assert.equal(program.stderr, "");
  assert.ok(!place.has("tree"));
});

test("temporary files and directories are gone at the end, and after a kill", async (t) => {
  const place = new Place(t);
  const source = (end: string) => `
    import { tempDir, tempFile } from "atexit/resources";
    say("file " + tempFile().path);
    say("directory " + tempDir().path);
    ${end}`;
  const ended = place.start(source(""));
  assert.equal((await ended.ended()).code, 0, ended.stderr);
  const killed = place.start(source(STAY));
  await killed.heard("ready");
  await killed.kill();
  for (const program of [ended, killed]) {
    for (const what of ["file ", "directory "]) {
      const path = await program.heard(what);
      await place.until(() => !existsSync(path), `${path} is gone`);
    }
  }
});

test("a child ends with this process: at its end, when it is killed, and when asked to", async (t) => {
  const place = new Place(t);
  const source = (end: string) => `
    import { spawn } from "node:child_process";
    import { child } from "atexit/resources";
    const process_ = spawn(process.execPath, ["-e", "setInterval(() => {}, 1_000)"], { stdio: "ignore" });
    const ours = child(process_, { grace: 0 });
    say("child " + process_.pid);
    ${end}`;
  for (const end of ["process.exit(3);", STAY, 'await ours.end(); say("ended");']) {
    const program = place.start(source(end));
    const pid = Number(await program.heard("child "));
    if (end === STAY) {
      await program.heard("ready");
      await program.kill();
    } else {
      assert.equal((await program.ended()).code, end.includes("3") ? 3 : 0, program.stderr);
    }
    await place.until(() => !isAlive(pid), `the child ${pid} has ended: ${end}`);
  }
});

test("a process is ended by its pid, with its descendants, and no other", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  const rows = `[[process.pid, 1, 1], [root.pid, process.pid, 3], [descendant, root.pid, 4], [stranger.pid, root.pid, 2]]`;
  const source = `${withPowerShell(`answer(script)`)}
    import { kill } from "atexit/durable";
    import { killTree } from "atexit/resources";
    const STAY = "setInterval(() => {}, 1_000)";
    const { spawn } = child_process;
    const node = (source) => spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
    // A child of an earlier process that had the root's pid.
    const stranger = node(STAY);
    const root = node("const { spawn } = require('node:child_process'); console.log(spawn(process.execPath, ['-e', '" + STAY + "'], { stdio: 'ignore' }).pid); " + STAY);
    const descendant = Number(await new Promise((resolve) => root.stdout.once("data", resolve)));
    const isThere = (pid) => { try { return process.kill(pid, 0); } catch { return false; } };
    const answer = (script) => {
      // What it is to end, and what there is.
      const ended = /^foreach \\(\\$each in (.*)\\) \\{$/m.exec(script);
      for (const [, pid] of ended?.[1].matchAll(/'(\\d+) /g) ?? []) process.kill(Number(pid));
      const lines = ${rows}.filter(([pid]) => isThere(pid)).map((row) => row.join(" ") + " 0");
      return [...lines, "end"].join("\\r\\n");
    };
    const isAtOnce = process.argv[2] === "now";
    if (isAtOnce) await killTree(root.pid);
    else kill(root.pid);
    say("pids " + [root.pid, descendant, stranger.pid]);
    process.on("exit", () => { say("there " + [root.pid, descendant, stranger.pid].map(isThere)); stranger.kill(); });
    process.exit();`;
  for (const when of ["now", "at the end"]) {
    const program = place.start(source, { ATEXIT_GUARD: "off" }, [when]);
    const pids = await program.heard("pids ");
    await program.ended();
    assert.equal(await program.heard("there "), "false,false,true", `${when}: ${pids}, ${program.stderr}`);
  }
});

test("a program ends with its parent's channel and with its standard input", async (t) => {
  const place = new Place(t);
  const program = place.start(`
    import { endWithParent } from "atexit/resources";
    import { register } from "atexit";
    register(() => say("cleaned up"));
    endWithParent();
    ${STAY}`);
  await program.heard("ready");
  program.child.stdin?.end();
  program.child.disconnect();
  await program.ended();
  assert.equal(program.lines.at(-1), "cleaned up", program.stderr);
});

test("a parent whose pid a later process has by now is gone", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  for (const [ofParent, ofOwn] of [
    [2, 1],
    [1, 2],
    ["?", "?"],
  ] as const) {
    const rows = `\`\${process.ppid} 0 ${ofParent} 0\\r\\n\${process.pid} 0 ${ofOwn} 0\\r\\nend\``;
    const source = `${withPowerShell(rows)}
      import { register } from "atexit";
      import { endWithParent } from "atexit/resources";
      register(() => say("cleaned up"));
      endWithParent({ stdin: false, interval: 5 });
      // It is looked at at once, and again after 3 s.
      setTimeout(() => { say("stayed"); process.exit(); }, ${ofParent === 2 ? LIMIT : 6_000});`;
    const program = place.start(source, {}, [], { stdio: ["pipe", "pipe", "pipe"] });
    await program.ended();
    assert.deepEqual(program.lines, ofParent === 2 ? ["cleaned up"] : ["stayed", "cleaned up"], program.stderr);
  }
});

test("to look who the parent is keeps no program from its end", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  // As if PowerShell took its time.
  const source = `${withPowerShell('""', 20_000)}
    import { endWithParent } from "atexit/resources";
    endWithParent({ stdin: false });`;
  const began = performance.now();
  const program = place.start(source, {}, [], { stdio: ["pipe", "pipe", "pipe"] });
  assert.equal((await program.ended()).code, 0, program.stderr);
  assert.ok(performance.now() - began < 15_000);
});

test("a log is opened anew after it was renamed", async (t) => {
  const place = new Place(t);
  const program = place.start(`
    import { logFile } from "atexit/resources";
    import { renameSync } from "node:fs";
    const log = logFile(${JSON.stringify(place.file("log"))});
    log.write("first");
    renameSync(${JSON.stringify(place.file("log"))}, ${JSON.stringify(place.file("log.1"))});
    log.reopen();
    log.write("second");`);
  assert.equal((await program.ended()).code, 0, program.stderr);
  assert.deepEqual([place.read("log.1"), place.read("log")], ["first\n", "second\n"]);
});

/** What is beside a lock, and the lock. */
function lockFiles(place: Place): string[] {
  return readdirSync(place.path).filter((name) => name.startsWith("lock"));
}
