// remove() is carried out only on what was registered: in the process when it ends,
// and by the guard when it was killed.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../../support/place.ts";
import { printed } from "../../support/run.ts";
import { everythingIn, program, SIGKILL } from "./program.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

interface Row {
  readonly name: string;
  /** What the program does; `at(name)` is a path in its own directory. */
  readonly body: string;
  /** What is there when all is over. */
  readonly stays: readonly string[];
  /** Why something was left alone; by default nothing was. */
  readonly leftAlone?: RegExp;
  readonly skip?: string | false;
}

/** A directory with something in it that nobody has registered. */
const PRECIOUS = 'fs.mkdirSync(at("precious")); fs.writeFileSync(at("precious/file"), "");';
const PRECIOUS_STAYS = ["precious", "precious/file"];

const rows: readonly Row[] = [
  { name: "a file", body: 'fs.writeFileSync(at("x"), ""); remove(at("x"));', stays: [] },
  { name: "a file: URL", body: 'fs.writeFileSync(at("x y"), ""); remove(pathToFileURL(at("x y")));', stays: [] },
  {
    name: "a relative path, as it was at registration",
    body: `${PRECIOUS} fs.writeFileSync(at("x"), ""); process.chdir(at(".")); remove("x"); process.chdir("precious"); fs.writeFileSync("x", "");`,
    stays: [...PRECIOUS_STAYS, "precious/x"],
  },
  {
    name: "a file that was written over in place",
    body: 'fs.writeFileSync(at("x"), "1"); remove(at("x")); fs.writeFileSync(at("x"), "22"); fs.chmodSync(at("x"), 0o400);',
    stays: [],
  },
  {
    name: "a path that was replaced by another file",
    body: 'fs.writeFileSync(at("x"), ""); remove(at("x")); fs.writeFileSync(at("y"), ""); fs.renameSync(at("y"), at("x"));',
    stays: ["x"],
    leftAlone: /another file has taken its place/,
  },
  {
    name: "a path whose new file has got the old one's inode",
    body: `fs.writeFileSync(at("x"), ""); remove(at("x")); const { ino } = fs.lstatSync(at("x"));
      for (let tries = 0; tries < 1_000; tries += 1) {
        fs.unlinkSync(at("x"));
        fs.writeFileSync(at("x"), "");
        if (fs.lstatSync(at("x")).ino === ino) break;
      }`,
    stays: ["x"],
    leftAlone: /another file has taken its place/,
  },
  {
    name: "a path that was replaced by a directory",
    body: 'fs.writeFileSync(at("x"), ""); remove(at("x")); fs.unlinkSync(at("x")); fs.mkdirSync(at("x")); fs.writeFileSync(at("x/file"), "");',
    stays: ["x", "x/file"],
    leftAlone: /another file has taken its place/,
  },
  {
    name: "a directory that was replaced by a link to a precious one",
    body: `${PRECIOUS} fs.mkdirSync(at("x")); remove(at("x")); fs.rmdirSync(at("x")); fs.symlinkSync(at("precious"), at("x"));`,
    stays: [...PRECIOUS_STAYS, "x"],
    leftAlone: /another file has taken its place/,
  },
  {
    name: "a link: itself, and not what it leads to",
    body: `${PRECIOUS} fs.symlinkSync(at("precious"), at("x")); remove(at("x"));`,
    stays: PRECIOUS_STAYS,
  },
  {
    name: "a directory whose parent has become a link to another one",
    body: `for (const name of ["a", "a/x", "b", "b/x"]) fs.mkdirSync(at(name));
      remove(at("a/x")); fs.renameSync(at("a"), at("c")); fs.symlinkSync(at("b"), at("a"));`,
    stays: ["a", "b", "b/x", "c", "c/x"],
    leftAlone: /is another directory by now/,
  },
  {
    name: "a file that was moved away",
    body: 'fs.writeFileSync(at("x"), ""); remove(at("x")); fs.renameSync(at("x"), at("moved"));',
    stays: ["moved"],
  },
  {
    name: "what came after the registration",
    body: 'remove(at("x")); fs.mkdirSync(at("x")); fs.writeFileSync(at("x/file"), "");',
    stays: [],
  },
  {
    name: "an older file that was moved to where nothing was",
    body: `fs.writeFileSync(at("old"), ""); await new Promise((resolve) => setTimeout(resolve, 50));
      remove(at("x")); fs.renameSync(at("old"), at("x"));`,
    stays: ["x"],
    leftAlone: /older than the registration/,
  },
  {
    name: "a tree with links that lead out of it",
    body: `${PRECIOUS} fs.mkdirSync(at("x/deep"), { recursive: true });
      fs.symlinkSync(at("precious"), at("x/deep/directory")); fs.symlinkSync(at("precious/file"), at("x/file"));
      fs.symlinkSync("../..", at("x/deep/up")); fs.linkSync(at("precious/file"), at("x/hard")); remove(at("x"));`,
    stays: PRECIOUS_STAYS,
  },
  {
    name: "a tree with names of all kinds",
    body: `fs.mkdirSync(at("x")); remove(at("x"));
      for (const name of ["-rf", " ", "\\n", "*", "$(touch y)", "ü", "x".repeat(255)]) fs.writeFileSync(at("x/" + name), "");
      fs.writeFileSync(Buffer.concat([Buffer.from(at("x/")), Buffer.from([0xff, 0xfe])]), "");
      await new Promise((resolve) => net.createServer().unref().listen(at("x/socket"), resolve));`,
    stays: [],
  },
  {
    name: "a tree of 300 levels and 3,000 files",
    body: `fs.mkdirSync(at("x")); remove(at("x"));
      fs.mkdirSync(at("x/" + "d/".repeat(300)), { recursive: true });
      for (let n = 0; n < 3_000; n += 1) fs.writeFileSync(at("x/" + n), "");`,
    stays: [],
  },
  {
    name: "a tree with something mounted inside",
    body: `${PRECIOUS} fs.mkdirSync(at("x/mounted"), { recursive: true }); remove(at("x"));
      execFileSync("mount", ["--bind", at("precious"), at("x/mounted")]);`,
    stays: [...PRECIOUS_STAYS, "x", "x/mounted"],
    leftAlone: /mounted is mounted inside/,
    skip: notRoot,
  },
];

/** In a mount namespace of its own: what a row mounts is gone with it. */
async function runApart(place: Place, source: string) {
  const file = join(place.work, "..", "program.mjs");
  writeFileSync(file, source);
  const options = { env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work }, encoding: "utf8" } as const;
  const { status, signal, stderr } = spawnSync("unshare", ["--mount", process.execPath, file], options);
  return { code: status, signal, stderr };
}

describe("remove", () => {
  for (const { name, body, stays, leftAlone, skip = false } of rows) {
    const isApart = body.includes("mount");
    test(`${name}: in the process`, { skip }, () =>
      inPlace(async (place) => {
        const source = program(body, "");
        const { code, stderr } = isApart ? await runApart(place, source) : await place.run(source);
        assert.deepEqual(everythingIn(place.work), [...stays].sort(), stderr);
        assert.equal(code, leftAlone === undefined ? 0 : 1, stderr);
        if (leftAlone === undefined) assert.equal(stderr, "");
        else assert.match(stderr, new RegExp(`atexit: cleanup "remove .* is left alone: .*${leftAlone.source}`, "s"));
        assert.deepEqual(place.left(), []);
      }),
    );

    test(`${name}: by the guard`, { skip }, () =>
      inPlace(async (place) => {
        const source = program(body, SIGKILL);
        const ended = isApart ? await runApart(place, source) : await place.run(source);
        assert.ok(ended.signal === "SIGKILL" || isApart, ended.stderr);
        await place.quiet();
        assert.deepEqual(everythingIn(place.work), [...stays].sort());
        assert.deepEqual(place.left(), []);
        const [row] = place.log();
        if (leftAlone === undefined) assert.match(String(row?.outcome), /^(?:done|gone)$/, row?.why);
        else {
          assert.equal(row?.outcome, "left alone", row?.why);
          assert.match(String(row?.why), leftAlone);
        }
      }),
    );
  }

  test("a tree that somebody is changing meanwhile: what is outside it stays", () =>
    inPlace(async (place) => {
      // Puts a link in the place of a directory, and back, as fast as it can.
      const swapping = spawn(
        process.execPath,
        [
          "-e",
          `const fs = require("node:fs");
           const at = (name) => process.env.WORK + "/" + name;
           fs.mkdirSync(at("precious"));
           for (let n = 0; n < 50; n += 1) fs.writeFileSync(at("precious/" + n), "");
           fs.mkdirSync(at("x/inner"), { recursive: true });
           fs.symlinkSync(at("precious"), at("link"));
           console.log("ready");
           for (let n = 0; n < 1e9 && fs.existsSync(at("x")); n += 1) {
             try {
               fs.renameSync(at("x/inner"), at("aside"));
               fs.renameSync(at("link"), at("x/inner"));
               fs.renameSync(at("x/inner"), at("link"));
               fs.renameSync(at("aside"), at("x/inner"));
             } catch {
               fs.mkdirSync(at("x/inner"), { recursive: true });
               try { fs.symlinkSync(at("precious"), at("link")); } catch {}
             }
           }`,
        ],
        { env: { ...process.env, WORK: place.work }, stdio: ["ignore", "pipe", "ignore"] },
      );
      const ended = new Promise((resolve) => swapping.once("close", resolve));
      await printed(swapping, "ready\n");
      const source = program(
        "",
        'for (let n = 0; n < 300; n += 1) { fs.mkdirSync(at("x/" + n), { recursive: true }); try { remove(at("x")).run(); } catch {} }',
      );
      await place.run(source);
      swapping.kill("SIGKILL");
      await ended;
      assert.equal(readdirSync(join(place.work, "precious")).length, 50);
    }));
});
