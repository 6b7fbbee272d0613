// A recipe is carried out only on what was registered: on each way, in the
// process when it ends, and by the guard when it was killed.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { linesOf, printed, statusOf } from "../support/run.js";
import { inPlace, isAlive, type Place } from "./support.js";

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
    leftAlone: /another file has taken its place/,
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

const program = (body: string, end: string) => `
  import { execFileSync } from "node:child_process";
  import fs from "node:fs";
  import net from "node:net";
  import { pathToFileURL } from "node:url";
  import { call, exec, kill, remove } from ${JSON.stringify(import.meta.resolve("atexit/durable"))};
  const at = (name) => process.env.WORK + "/" + name;
  ${body}
  ${end}`;

const SIGKILL = 'process.kill(process.pid, "SIGKILL");';

/** In a mount namespace of its own: what a row mounts is gone with it. */
async function runApart(place: Place, source: string) {
  const file = join(place.work, "..", "program.mjs");
  writeFileSync(file, source);
  const options = { env: { ...process.env, ATEXIT_DIR: place.journals, WORK: place.work }, encoding: "utf8" } as const;
  const { status, signal, stderr } = spawnSync("unshare", ["--mount", process.execPath, file], options);
  return { code: status, signal, stderr };
}

/** By paths from there; links are not followed. */
function everythingIn(directory: string, from = ""): string[] {
  const entries = readdirSync(join(directory, from), { withFileTypes: true });
  const paths = entries.flatMap((entry) => {
    const path = join(from, entry.name);
    return entry.isDirectory() ? [path, ...everythingIn(directory, path)] : [path];
  });
  return paths.sort();
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

describe("kill", () => {
  /** Starts processes, registers the end of the first, and prints the pids of all. */
  const STUBBORN = 'trap "" TERM; echo $$ >>"$WORK/pids"; while :; do sleep 0.2; done';
  const starts: readonly (readonly [name: string, body: string, count: number])[] = [
    [
      "a process and its descendants",
      `const shell = spawn("/bin/sh", ["-c", 'sleep 300 & echo $! >>"$WORK/pids"; (sleep 300 & echo $! >>"$WORK/pids"; wait) & echo $$ >>"$WORK/pids"; wait'], { stdio: "ignore" });
       shell.unref(); kill(shell);`,
      3,
    ],
    [
      "one that does not listen to SIGTERM, by force",
      `const stubborn = spawn("/bin/sh", ["-c", ${JSON.stringify(STUBBORN)}], { stdio: "ignore" }); stubborn.unref(); kill(stubborn, { grace: 200 });`,
      1,
    ],
    [
      "what has stayed of a process group whose leader has ended",
      `const leader = spawn("/bin/sh", ["-c", 'echo $$ >>"$WORK/pids"; sleep 300 & echo $! >>"$WORK/pids"; read _; exit 0'], { stdio: ["pipe", "ignore", "ignore"], detached: true });
       kill(leader); leader.stdin.end(); await once(leader, "exit");`,
      2,
    ],
    [
      "one that has ended",
      'const short = spawn("true"); kill(short); await once(short, "exit"); fs.writeFileSync(at("pids"), "");',
      0,
    ],
    [
      "a pid",
      `const other = spawn("sleep", ["300"], { stdio: "ignore" }); other.unref(); fs.writeFileSync(at("pids"), other.pid + "\\n"); kill(other.pid, { signal: "SIGINT" });`,
      1,
    ],
  ];
  const wait = (count: number) =>
    `while (!fs.existsSync(at("pids")) || fs.readFileSync(at("pids"), "utf8").split("\\n").length <= ${count}) await new Promise((resolve) => setTimeout(resolve, 5));`;
  const imports = 'import { spawn } from "node:child_process"; import { once } from "node:events";';
  for (const [name, body, count] of starts) {
    for (const [how, end] of [
      ["in the process", ""],
      ["by the guard", SIGKILL],
    ] as const) {
      test(`${name}: ${how}`, () =>
        inPlace(async (place) => {
          const { stderr } = await place.run(program(`${imports}\n${body}\n${wait(count)}`, end));
          await place.quiet();
          const pids = linesOf(join(place.work, "pids")).map(Number);
          assert.equal(pids.length, count);
          assert.deepEqual(pids.filter(isAlive), [], stderr);
          assert.equal(stderr, "");
        }));
    }
  }

  test("a process that has got the same pid since is left alone", () =>
    inPlace(async (place) => {
      const other = spawn("sleep", ["300"], { stdio: "ignore" });
      const ended = new Promise((resolve) => other.once("close", resolve));
      try {
        await place.run(program(`kill(${other.pid});`, SIGKILL), { env: { ATEXIT_GUARD: "off" } });
        const [name] = place.left() as [string];
        const journal = join(place.journals, name);
        // As if the one that was registered had started a moment earlier.
        const text = readFileSync(journal, "utf8").replace(
          /("do":"kill","pid":\d+,"start":")(\d+)"/,
          (_, before, start) => `${before}${Number(start) - 1}"`,
        );
        writeFileSync(journal, text);
        const [row] = await place.recover();
        assert.equal(row?.outcome, "gone");
        assert.ok(isAlive(other.pid as number));
      } finally {
        other.kill("SIGKILL");
        await ended;
      }
    }));
});

describe("exec", () => {
  const dangerous = ["$(touch y)", "; touch y", "`touch y`", "&& touch y", '"', "'", "\\", "*", "", " ", "\n"];
  for (const [how, end] of [
    ["in the process", ""],
    ["by the guard", SIGKILL],
  ] as const) {
    test(`arguments arrive as they are, in the directory and environment that were given: ${how}`, () =>
      inPlace(async (place) => {
        const script = `require("node:fs").writeFileSync("seen", JSON.stringify([process.argv.slice(1), process.cwd(), process.env.GIVEN]))`;
        const body = `fs.mkdirSync(at("inner"));
          exec(process.execPath, ["-e", ${JSON.stringify(script)}, "--", ...${JSON.stringify(dangerous)}], { cwd: at("inner"), env: { GIVEN: "$HOME" } });`;
        const { stderr } = await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(
          JSON.parse(readFileSync(join(place.work, "inner/seen"), "utf8")),
          [dangerous, join(place.work, "inner"), "$HOME"],
          stderr,
        );
        assert.deepEqual(everythingIn(place.work), ["inner", "inner/seen"]);
      }));

    test(`one that fails, hangs or does not exist stops nothing else: ${how}`, () =>
      inPlace(async (place) => {
        const body = `
          exec("touch", [at("last")]);
          exec("no-such-command");
          exec("/bin/sh", ["-c", "echo because >&2; exit 3"]);
          exec("/bin/sh", ["-c", 'echo $$ >>"$WORK/pids"; sleep 300 & echo $! >>"$WORK/pids"; wait'], { timeout: 300 });
          exec("touch", [at("first")]);`;
        const { code, stderr } = await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(everythingIn(place.work), ["first", "last", "pids"]);
        assert.deepEqual(
          linesOf(join(place.work, "pids")).map(Number).filter(isAlive),
          [],
          "the time limit ends all of it",
        );
        const told =
          end === ""
            ? stderr
            : place
                .log()
                .map(({ why }) => why ?? "")
                .join("\n");
        assert.match(told, /exec no-such-command could not be started: spawn no-such-command ENOENT/);
        assert.match(told, /exec \/bin\/sh ended with status 3:\s+because/);
        assert.match(told, /exec \/bin\/sh had not ended after 300 ms/);
        if (end === "") assert.equal(code, 1);
        else await place.recover(); // the failed ones are tried again, and nothing else
      }));
  }
});

describe("call", () => {
  const fixtures: Readonly<Record<string, string>> = {
    "esm.mjs":
      'import fs from "node:fs"; export function note(...args) { fs.appendFileSync(process.env.WORK + "/seen", JSON.stringify(args) + "\\n"); }',
    "common.cjs":
      'exports.note = (...args) => require("node:fs").appendFileSync(process.env.WORK + "/seen", JSON.stringify(args) + "\\n");',
    "typed.strange":
      'import fs from "node:fs"; export async function note(...args) { await null; fs.appendFileSync(process.env.WORK + "/seen", JSON.stringify(args) + "\\n"); }',
    "bad.mjs":
      'export function fail() { throw new Error("as it must"); } export const hang = () => new Promise(() => setInterval(() => {}, 1_000)); export const crash = () => process.abort();',
    // A loader for modules that Node itself does not know, as that of TypeScript is.
    "loader.mjs": `import { register } from "node:module";
      register("data:text/javascript," + encodeURIComponent('export const load = async (url, context, next) => url.endsWith(".strange") ? { ...(await next(url, { ...context, format: "module" })), format: "module", shortCircuit: true } : next(url, context);'));`,
  };
  const write = `const fixtures = ${JSON.stringify(fixtures)};
    fs.mkdirSync(at("modules")); for (const [name, text] of Object.entries(fixtures)) fs.writeFileSync(at("modules/" + name), text);`;
  for (const [how, end] of [
    ["in the process", ""],
    ["by the guard", SIGKILL],
  ] as const) {
    test(`ES modules, CommonJS, and what a loader makes one of: ${how}`, () =>
      inPlace(async (place) => {
        const body = `${write}
          call(pathToFileURL(at("modules/esm.mjs")), "note", 1, "zwei", [null, true], { four: 4.5 });
          call(at("modules/common.cjs"), "note", "common");
          call(pathToFileURL(at("modules/typed.strange")).href, "note", "typed");`;
        // The loader is told of twice: by an option, and by NODE_OPTIONS.
        mkdirSync(join(place.work, "..", "loader"));
        const loader = join(place.work, "..", "loader", "loader.mjs");
        writeFileSync(loader, fixtures["loader.mjs"] as string);
        for (const options of [
          { nodeOptions: ["--import", loader] },
          { env: { NODE_OPTIONS: `--import ${loader}` } },
        ]) {
          const { stderr } = await place.run(program(body, end), options);
          await place.quiet();
          assert.deepEqual(
            linesOf(join(place.work, "seen")),
            ['["typed"]', '["common"]', '[1,"zwei",[null,true],{"four":4.5}]'],
            stderr + JSON.stringify(place.log()),
          );
          rmSync(join(place.work, "modules"), { recursive: true });
          rmSync(join(place.work, "seen"));
        }
      }));

    test(`one that throws, crashes, or is not there stops nothing else: ${how}`, () =>
      inPlace(async (place) => {
        const body = `${write}
          call(at("modules/esm.mjs"), "note", "last");
          for (const name of ["fail", "crash", "missing"]) call(at("modules/bad.mjs"), name);
          call(at("modules/nowhere.mjs"), "note");
          call(at("modules/esm.mjs"), "note", "first");`;
        const { code, stderr } = await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(linesOf(join(place.work, "seen")), ['["first"]', '["last"]'], stderr);
        const told =
          end === ""
            ? stderr
            : place
                .log()
                .map(({ why }) => why ?? "")
                .join("\n");
        for (const part of [/as it must/, /ended by SIGABRT/, /exports no function "missing"/, /nowhere\.mjs/]) {
          assert.match(told, part);
        }
        if (end === "") assert.equal(statusOf({ code, signal: null }), "1");
      }));
  }

  test("NODE_OPTIONS that name what is gone disturb no other recipe", () =>
    inPlace(async (place) => {
      const preload = join(place.work, "..", "preload.cjs");
      writeFileSync(preload, "");
      const body = `${write}
        remove(at("modules"));
        call(at("modules/esm.mjs"), "note", "never");
        fs.unlinkSync(${JSON.stringify(preload)});`;
      await place.run(program(body, SIGKILL), { env: { NODE_OPTIONS: `--require ${preload}` } });
      await place.quiet();
      assert.deepEqual(
        place.log().map(({ outcome }) => outcome),
        ["failed", "done"],
      );
      assert.deepEqual(everythingIn(place.work), []);
    }));
});
