// Recipes, on the system that this runs on.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, utimesSync } from "node:fs";
import { test } from "node:test";
import { withUrls } from "../support/package-under-test.ts";
import { hasOpenLocks, isWindows, Place } from "./on-this-system.ts";

const STAY = 'say("ready"); setInterval(() => {}, 1_000);';

/** Has the system seem to have started so many minutes later: a clock that was set. Linux has its own boot ids. */
const BOOT_MOVED = (minutes: number) => `
  import os from "node:os";
  import { syncBuiltinESMExports } from "node:module";
  const uptime = os.uptime;
  os.uptime = () => uptime() - ${minutes * 60};
  syncBuiltinESMExports();
`;

test("what is removed at a natural end, at once, and not at all", async (t) => {
  const place = new Place(t);
  const [atEnd, atOnce, kept] = ["at-end", "at-once", "kept"].map((name) => JSON.stringify(place.write(name)));
  const program = place.start(`
    import { remove } from "atexit/durable";
    remove(${atEnd});
    await remove(${atOnce}).run();
    remove(${kept}).cancel();`);
  assert.deepEqual(await program.ended(), { code: 0, signal: null }, program.stderr);
  assert.equal(program.stderr, "");
  assert.deepEqual([place.has("at-end"), place.has("at-once"), place.has("kept")], [false, false, true]);
});

test("a tree is removed after a kill, by the guard", async (t) => {
  const place = new Place(t);
  mkdirSync(place.file("tree/größe ✓"), { recursive: true });
  place.write("tree/größe ✓/file");
  const program = place.start(`
    import { remove } from "atexit/durable";
    remove(${JSON.stringify(place.file("tree"))});
    ${STAY}`);
  await program.heard("ready");
  await program.kill();
  await place.until(() => !place.has("tree"), "the tree is gone");
  await place.until(
    () => journalsIn(place).length === 0,
    () => `gone are ${journalsIn(place)}`,
  );
});

test("the next start does what a killed program and its guard left", async (t) => {
  const place = new Place(t);
  place.write("file");
  const off = { ATEXIT_GUARD: "off" };
  const program = place.start(
    `import { remove } from "atexit/durable"; remove(${JSON.stringify(place.file("file"))}); ${STAY}`,
    off,
  );
  await program.heard("ready");
  await program.kill();
  assert.ok(place.has("file"));
  const next = place.start(
    `import { remove } from "atexit/durable"; remove(${JSON.stringify(place.file("x"))}); ${STAY}`,
  );
  await place.until(() => !place.has("file"), "the next start has removed it");
  await next.kill();
});

test("a program that is alive is left alone, also where the system seems to have started later", async (t) => {
  const place = new Place(t);
  place.write("file");
  const owner = place.start(
    `import { remove } from "atexit/durable"; remove(${JSON.stringify(place.file("file"))}); ${STAY}`,
  );
  await owner.heard("ready");
  for (const minutes of [0, 1, 600]) {
    const other = place.start(`${BOOT_MOVED(minutes)}
      const { recover } = await import("atexit/durable");
      say(JSON.stringify(await recover()));`);
    assert.equal((await other.ended()).code, 0, other.stderr);
    assert.deepEqual(other.lines, ["[]"], `${minutes} minutes`);
    assert.ok(place.has("file"));
  }
  await owner.kill();
  await place.until(() => !place.has("file"), "it is removed when its owner is dead");
});

test("a dead owner whose pid another process has by now is dead", { skip: !hasOpenLocks }, async (t) => {
  const place = new Place(t);
  place.write("file");
  const source = `import { remove } from "atexit/durable"; remove(${JSON.stringify(place.file("file"))}); ${STAY}`;
  const owner = place.start(source, { ATEXIT_GUARD: "off" });
  await owner.heard("ready");
  await owner.kill();
  // As if the pid had been given again: to one that began when the owner was dead.
  await new Promise((resolve) => setTimeout(resolve, 4_000)); // the start of a process is told in seconds
  const later = place.start(`say("ready"); setInterval(() => {}, 1_000);`);
  await later.heard("ready");
  place.givePid(owner.pid, later.pid);
  const next = place.start(`import { recover } from "atexit/durable"; say(JSON.stringify(await recover()));`);
  assert.equal((await next.ended()).code, 0, next.stderr);
  assert.ok(!place.has("file"), next.stdout);
});

test("files with a time of change that was set back are still those that were registered", async (t) => {
  const place = new Place(t);
  const program = place.start(`
    import { tempFile, tempDir } from "atexit/resources";
    import { utimesSync, writeFileSync } from "node:fs";
    import { join } from "node:path";
    const file = tempFile(), directory = tempDir();
    writeFileSync(join(directory.path, "in it"), "");
    for (const path of [join(directory.path, "in it"), file.path, directory.path]) utimesSync(path, 1_000, 1_000);
    say("file " + file.path);
    say("directory " + directory.path);`);
  const ended = await program.ended();
  assert.deepEqual(ended, { code: 0, signal: null }, program.stderr);
  for (const what of ["file", "directory"]) assert.ok(!existsSync(await program.heard(what)), what);
});

test("what has another's place by now is left alone", async (t) => {
  const place = new Place(t);
  place.write("file");
  utimesSync(place.file("file"), 1_000, 1_000);
  const program = place.start(`
    import { remove } from "atexit/durable";
    import { renameSync, writeFileSync } from "node:fs";
    const path = ${JSON.stringify(place.file("file"))};
    remove(path);
    writeFileSync(path + ".new", "another");
    renameSync(path, path + ".old");
    renameSync(path + ".new", path);`);
  await program.ended();
  assert.equal(place.read("file"), "another");
});

test("a link in the place of a directory that is being emptied leads nowhere", { skip: isWindows }, async (t) => {
  const place = new Place(t);
  for (const name of ["tree/inside", "outside"]) {
    mkdirSync(place.file(name), { recursive: true });
    place.write(`${name}/file`);
  }
  const program = place.start(`
    import fs, { renameSync, symlinkSync } from "node:fs";
    const { readdirSync } = fs;
    // At the worst moment: when it is known what is in it, and nothing of that is removed yet.
    fs.readdirSync = (...args) => {
      const entries = readdirSync(...args);
      if (entries.some(({ name }) => String(name) === "file")) {
        fs.readdirSync = readdirSync;
        renameSync("tree/inside", "aside");
        symlinkSync("../outside", "tree/inside.new");
        renameSync("tree/inside.new", "tree/inside");
        say("swapped");
      }
      return entries;
    };
    const { remove } = await import("atexit/durable");
    const registration = remove(${JSON.stringify(place.file("tree"))});
    try { await registration.run(); say("removed"); } catch (error) { say(error.code); }`);
  await program.ended();
  assert.equal(program.lines[0], "swapped", program.stderr);
  assert.ok(place.has("outside/file"), program.stdout + program.stderr);
});

test("a command and a function are run after a kill", async (t) => {
  const place = new Place(t);
  place.write(
    "cleanup.mjs",
    'import { writeFileSync } from "node:fs"; export const mark = (path) => writeFileSync(path, "");',
  );
  const program = place.start(`
    import { call, exec } from "atexit/durable";
    exec(process.execPath, ["-e", "require('node:fs').writeFileSync(process.argv[1], '')", ${JSON.stringify(place.file("by-command"))}]);
    call(new URL("./cleanup.mjs", import.meta.url), "mark", ${JSON.stringify(place.file("by-function"))});
    ${STAY}`);
  await program.heard("ready");
  await program.kill();
  await place.until(() => place.has("by-command") && place.has("by-function"), "both have run");
});

test("a worker that is terminated is cleaned up after while the process lives", async (t) => {
  const place = new Place(t);
  place.write("file");
  place.write(
    "worker.mjs",
    withUrls(`import { remove } from "atexit/durable"; import { parentPort } from "node:worker_threads";
      remove(${JSON.stringify(place.file("file"))}); parentPort.postMessage("registered"); setInterval(() => {}, 1_000);`),
  );
  const program = place.start(`
    import { Worker } from "node:worker_threads";
    const worker = new Worker(new URL("./worker.mjs", import.meta.url));
    worker.once("message", async () => { await worker.terminate(); say("terminated"); });
    setInterval(() => {}, 1_000);`);
  await program.heard("terminated");
  await place.until(() => !place.has("file"), "the worker's file is gone");
  assert.equal(program.child.exitCode, null);
  await program.kill();
});

test("nothing is lost where the program asks for each line to be on the disk", async (t) => {
  const place = new Place(t);
  place.write("file");
  const program = place.start(`
    import { configure, remove } from "atexit/durable";
    configure({ fsync: true });
    remove(${JSON.stringify(place.file("file"))});
    ${STAY}`);
  await program.heard("ready");
  await program.kill();
  await place.until(() => !place.has("file"), "it is removed");
});

test("no root of a drive or file system is removed", async (t) => {
  const place = new Place(t);
  const roots = isWindows ? ["C:\\", "D:\\", "E:\\"] : ["/"];
  const program = place.start(`
    import { remove } from "atexit/durable";
    for (const path of ${JSON.stringify(roots)}) {
      try { remove(path); say("taken " + path); } catch (error) { if (error.code !== "ENOENT") say(error.code); }
    }`);
  await program.ended();
  assert.deepEqual(new Set(program.lines), new Set(["ERR_ATEXIT_PROTECTED_PATH"]), program.stdout + program.stderr);
});

/** What is left of owners: not the log, nor the copies of the helper, of which one may be half written. */
function journalsIn(place: Place): string[] {
  return readdirSync(place.file("journals")).filter((name) => !/^(?:log\.jsonl$|helper-)/.test(name));
}
