// The command, on the system that this runs on.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { CLI } from "../support/package-under-test.ts";
import { isAlive, isWindows, isWine, Place } from "./on-this-system.ts";

const node = process.execPath;

test("atexit run: the command's output and status, and what is removed", async (t) => {
  const place = new Place(t);
  mkdirSync(place.file("tree"));
  place.write("tree/file");
  const script = 'console.log("said"); process.exit(7)';
  const program = place.run([CLI, "run", "--rm", place.file("tree"), "--", node, "-e", script]);
  assert.deepEqual(await program.ended(), { code: 7, signal: null }, program.stderr);
  assert.deepEqual(program.lines, ["said"]);
  assert.ok(!place.has("tree"));
});

test("atexit run: a command that there is not", async (t) => {
  const place = new Place(t);
  const program = place.run([CLI, "run", "--", "no-such-command"]);
  assert.equal((await program.ended()).code, 127, program.stderr);
  assert.match(program.stderr, /there is no such command/);
});

test("atexit run: killed, it undoes all, and ends the command", async (t) => {
  const place = new Place(t);
  place.write("file");
  const script = 'console.log("pid " + process.pid); setInterval(() => {}, 1_000)';
  const lock = place.file("lock");
  const program = place.run([CLI, "run", "--lock", lock, "--rm", place.file("file"), "--", node, "-e", script]);
  const pid = Number(await program.heard("pid "));
  // The command is registered a moment after its start. On Windows the system ends it with its parent.
  if (!isWindows) await place.until(() => journalsOf(place).includes('"do":"kill"'), "the command is registered");
  await program.kill();
  await place.until(() => !isAlive(pid) && !place.has("file"), "the command and the file are gone");
  const next = place.run([CLI, "run", "--lock", lock, "--wait", "20s", "--", node, "-e", ""]);
  assert.equal((await next.ended()).code, 0, next.stderr);
});

function journalsOf(place: Place): string {
  const names = place.has("journals") ? readdirSync(place.file("journals")) : [];
  return names.map((name) => place.read(join("journals", name))).join("");
}

/** Wine's cmd.exe takes what is between two percent signs for a variable that is empty; Windows' leaves it. */
const PERCENT = isWine ? [] : ["100%", "%PATH%", "%PATH:~0,5%", "a%PATH:=b% %", "%CMDCMDLINE:~-1%", "%%"];

/** Arguments that a command line of Windows can get wrong. */
const HARD = [
  "plain",
  "two words",
  'a "quote"',
  "back\\slash\\",
  'both\\"',
  ...PERCENT,
  "a&b|c<d>e^f",
  "ü✓",
  "",
  "(x)!",
];

test("atexit run: a command that is a batch file, with its arguments as they are", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  place.write("show.mjs", 'console.log("args " + JSON.stringify(process.argv.slice(2)));');
  mkdirSync(place.file("bin with space"));
  // As npm makes them for a package's commands.
  place.write("bin with space/show.cmd", `@ECHO off\r\n"${node}" "%~dp0\\..\\show.mjs" %*\r\n`);
  const env = { PATH: `${place.file("bin with space")}${delimiter}${process.env["PATH"]}` };
  const direct = place.run([place.file("show.mjs"), ...HARD]);
  assert.deepEqual(JSON.parse(await direct.heard("args ")), HARD, "Node itself");
  for (const command of ["show", "show.cmd", place.file("bin with space/show.cmd")]) {
    const program = place.run([CLI, "run", "--", command, ...HARD], env);
    assert.deepEqual(JSON.parse(await program.heard("args ")), HARD, program.stderr);
    assert.equal((await program.ended()).code, 0);
  }
});

test("atexit recover and log tell of what a killed program left", async (t) => {
  const place = new Place(t);
  place.write("file");
  const program = place.start(
    `import { remove } from "atexit/durable"; remove(${JSON.stringify(place.file("file"))}); say("ready"); setInterval(() => {}, 1_000);`,
    { ATEXIT_GUARD: "off" },
  );
  await program.heard("ready");
  await program.kill();
  const said: Record<string, string> = {};
  for (const word of ["recover", "log"]) {
    const told = place.run([CLI, word]);
    await told.ended();
    said[word] = told.stdout + told.stderr;
    assert.match(said[word], /remove .*file/, word);
  }
  assert.ok(!place.has("file"));
});

test("atexit doctor finds no problem", async (t) => {
  const place = new Place(t);
  const program = place.run([CLI, "doctor"]);
  const { code } = await program.ended();
  assert.doesNotMatch(program.stdout, /^problem/m);
  assert.equal(code, 0, program.stdout + program.stderr);
});

test("atexit tour shows the ways out that this system has", async (t) => {
  const place = new Place(t);
  const program = place.run([CLI, "tour", "process.exit(3) in a"]);
  const { code } = await program.ended();
  assert.equal(code, 0, program.stdout + program.stderr);
});
