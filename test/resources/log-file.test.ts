// A log file: whole lines, in order, none lost that was written before the
// process died, and the last line at every exit that JavaScript sees.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { noteMissing } from "../support/missing.ts";
import { inPlace } from "../support/place.ts";
import { withProgram } from "../support/program.ts";
import { printed, run, statusOf, until } from "../support/run.ts";

/** A user that owns nothing. */
const NOBODY = 65_534;

const notRoot =
  process.getuid?.() !== 0 &&
  noteMissing("logs that another user has put in the way", "it takes root to make his files");

const LOG = `
  import { register } from "atexit";
  import { logFile } from "atexit/resources";
  register(() => console.log("below the log"));
  const log = logFile(process.env.WORK + "/logs/app.log", { last: () => "=== stopped ===" });
  register(() => log.write("a later cleanup"));
  log.write("=== started ===");
`;
const read = (work: string) => readFileSync(join(work, "logs", "app.log"), "utf8");
const EXIT_LINES = "=== started ===\na later cleanup\n=== stopped ===\n";

for (const [way, leave, status] of [
  ["the natural end", "", "0"],
  ["process.exit", "process.exit(3);", "3"],
  ["a throw", "throw new Error('thrown');", "1"],
  ["SIGTERM", "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);", "SIGTERM"],
] as const) {
  test(`${way}: the last line is there, after those of later cleanups`, () =>
    inPlace(async ({ work, run }) => {
      const ended = await run(LOG + leave);
      assert.equal(statusOf(ended), status);
      assert.equal(ended.stdout, "below the log\n");
      assert.equal(read(work), EXIT_LINES);
    }));
}

test("SIGKILL right after a line: the line is there", () =>
  inPlace(async ({ work, run }) => {
    const { signal } = await run(
      `${LOG} for (let n = 1; n <= 5_000; n += 1) log.write("line " + n); process.kill(process.pid, "SIGKILL");`,
    );
    assert.equal(signal, "SIGKILL");
    const lines = read(work).split("\n");
    assert.equal(lines.length, 5_002);
    assert.deepEqual([lines[1], lines[5_000], lines[5_001]], ["line 1", "line 5000", ""]);
  }));

test("processes that write at the same time mix no lines", () =>
  inPlace(async ({ work, run }) => {
    const source = (who: string) => `
      import { logFile } from "atexit/resources";
      using_: {
        const log = logFile(process.env.WORK + "/logs/app.log");
        for (let n = 0; n < 500; n += 1) log.write("${who} " + n + " " + "x".repeat(n * 7 % 5_000));
      }`;
    await Promise.all(["a", "b", "c", "d"].map((who) => run(source(who))));
    const next: Record<string, number> = {};
    for (const line of read(work).split("\n").slice(0, -1)) {
      const [who = "", n = "", text = ""] = line.split(" ");
      assert.equal(Number(n), next[who] ?? 0, "their own order is kept");
      assert.equal(text, "x".repeat((Number(n) * 7) % 5_000));
      next[who] = Number(n) + 1;
    }
    assert.deepEqual(next, { a: 500, b: 500, c: 500, d: 500 });
  }));

describe("a log that is rotated away", () => {
  const source = (options: string) => `
    import { logFile } from "atexit/resources";
    const log = logFile(process.env.WORK + "/logs/app.log", ${options});
    log.write("before");
    process.stdin.on("data", (data) => { log.write(String(data).trim()); console.log("written"); });
    process.stdin.on("end", () => {});
    console.log("ready");`;

  test("goes on in the renamed file, unless it is asked to open the path anew", () =>
    inPlace(async ({ work, run }) => {
      const ended = await run(source("{}"), {
        stdio: ["pipe", "pipe", "pipe"],
        async act(child) {
          await printed(child, "ready");
          renameSync(join(work, "logs", "app.log"), join(work, "logs", "app.log.1"));
          child.stdin?.end("after");
        },
      });
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(existsSync(join(work, "logs", "app.log")), false);
      assert.equal(readFileSync(join(work, "logs", "app.log.1"), "utf8"), "before\nafter\n");
    }));

  test("opens the path anew on SIGHUP, where asked to; and SIGHUP ends the program no more", () =>
    inPlace(async ({ work, run }) => {
      const ended = await run(source('{ reopenOn: "SIGHUP", last: "last" }'), {
        stdio: ["pipe", "pipe", "pipe"],
        async act(child) {
          await printed(child, "ready");
          renameSync(join(work, "logs", "app.log"), join(work, "logs", "app.log.1"));
          child.kill("SIGHUP");
          await until(() => existsSync(join(work, "logs", "app.log")));
          child.stdin?.end("after");
        },
      });
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(read(work), "after\nlast\n");
      assert.equal(readFileSync(join(work, "logs", "app.log.1"), "utf8"), "before\n");
    }));
});

test("a log that cannot be opened anew goes on where it was, and says so once; it is opened anew later", () =>
  inPlace(async ({ work, run }) => {
    const logs = join(work, "logs");
    const ended = await run(
      `
        import { logFile } from "atexit/resources";
        import { once } from "node:events";
        const log = logFile(process.env.WORK + "/logs/app.log", { reopenOn: "SIGHUP", last: "last" });
        const lines = ["first", "second", "third"];
        process.on("SIGHUP", () => { log.write(lines.shift()); console.log("wrote", lines.length); });
        process.stdin.resume();
        console.log("ready");`,
      {
        stdio: ["pipe", "pipe", "pipe"],
        async act(child) {
          await printed(child, "ready");
          renameSync(join(logs, "app.log"), join(work, "app.log.1"));
          mkdirSync(join(logs, "app.log"));
          child.kill("SIGHUP");
          await printed(child, "wrote 2");
          child.kill("SIGHUP");
          await printed(child, "wrote 1");
          rmdirSync(join(logs, "app.log"));
          child.kill("SIGHUP");
          await printed(child, "wrote 0");
          child.stdin?.end();
        },
      },
    );
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(readFileSync(join(work, "app.log.1"), "utf8"), "first\nsecond\n");
    assert.equal(read(work), "third\nlast\n");
    assert.match(ended.stderr, /^atexit: the log could not be opened anew on SIGHUP, .*it is a directory.*\n$/);
  }));

test("/dev/stdout and a link to it are logs where the output is a socket, as Node and process managers give it", () =>
  inPlace(async ({ work, run }) => {
    symlinkSync("/dev/stdout", join(work, "output"));
    // A pipe of node:child_process is a socket.
    const { stdout, stderr, code } = await run(`
      import { logFile } from "atexit/resources";
      import { fstatSync } from "node:fs";
      const log = logFile("/dev/stdout", { reopenOn: "SIGHUP", last: "last" });
      log.write(String(fstatSync(1).isSocket()));
      log.write("x".repeat(1_000_000)); // more than it holds
      log.reopen();
      logFile(process.env.WORK + "/output").write("through a link");
      log.close();
      console.log("the program's own");`);
    assert.deepEqual([stderr, code], ["", 0]);
    assert.equal(stdout, `true\n${"x".repeat(1_000_000)}\nthrough a link\nlast\nthe program's own\n`);
  }));

test("SIGHUP ends a program whose log was not asked to open anew", () =>
  inPlace(async ({ work, run }) => {
    const { signal } = await run(`${LOG} process.kill(process.pid, "SIGHUP"); setInterval(() => {}, 1_000);`);
    assert.equal(signal, "SIGHUP");
    assert.equal(read(work), EXIT_LINES);
  }));

test("is closed once, and says so to who writes later; it is private, unless asked to be otherwise", () =>
  inPlace(async ({ work, run }) => {
    const { stdout, stderr } = await run(`
      import { logFile } from "atexit/resources";
      import { readdirSync } from "node:fs";
      process.stdout.write("");
      const descriptors = () => readdirSync("/proc/self/fd").length;
      const before = descriptors();
      const log = logFile(process.env.WORK + "/logs/app.log", { last: "last" });
      log.close();
      log.close();
      log[Symbol.dispose]();
      try { log.write("late"); } catch (error) { console.log(error.code); }
      try { log.reopen(); } catch (error) { console.log(error.code); }
      logFile(process.env.WORK + "/logs/open.log", { mode: 0o644 }).close();
      console.log(descriptors() - before);`);
    assert.equal(stdout, "ERR_ATEXIT_CLOSED\nERR_ATEXIT_CLOSED\n0\n", stderr);
    assert.equal(read(work), "last\n");
    const modes = ["app", "open"].map((name) => (statSync(join(work, "logs", `${name}.log`)).mode & 0o777).toString(8));
    assert.deepEqual(modes, ["600", "644"]);
  }));

test(
  "a full disk: the caller is told, and the next line begins a line of its own",
  {
    skip: process.getuid?.() !== 0 && "needs root",
  },
  () =>
    inPlace(async ({ work, run }) => {
      const { stdout, stderr, code } = await run(`
      import { execFileSync } from "node:child_process";
      import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
      import { logFile } from "atexit/resources";
      const disk = process.env.WORK + "/disk";
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k", "none", disk]);
      const log = logFile(disk + "/app.log");
      writeFileSync(disk + "/ballast", "x".repeat(4_096));
      const refused = new Set();
      for (let n = 0; n < 20; n += 1) {
        try { log.write(n + " " + "x".repeat(1_500)); } catch (error) { refused.add(error.code); }
      }
      rmSync(disk + "/ballast");
      log.write("whole");
      console.log([...refused], readFileSync(disk + "/app.log", "utf8").endsWith("\\nwhole\\n"));
      log.close();
      execFileSync("umount", [disk]);`);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "[ 'ENOSPC' ] true\n");
      assert.ok(existsSync(join(work, "disk")));
    }),
);

describe("what is no log, and is said to be none", () => {
  /** Opens a log at `WORK/logs/app.log`, writes a line, and prints the error's code and message. */
  const TRY = `
    import { logFile } from "atexit/resources";
    try {
      logFile(process.env.WORK + "/logs/app.log").write("a line");
      console.log("written");
    } catch ({ code, message }) {
      console.log(code, message);
    }`;
  const refused = (
    what: string,
    why: RegExp,
    put: (path: string, work: string) => void,
    skip: string | false = false,
  ) => {
    void test(what, { skip }, () =>
      inPlace(async ({ work, run }) => {
        mkdirSync(join(work, "logs"));
        put(join(work, "logs/app.log"), work);
        const { stdout, stderr } = await run(TRY, { limit: 20_000 });
        assert.match(stdout, /^ERR_ATEXIT_LOG No log is written to .*app\.log: .* Remove it, or give the log/, stderr);
        assert.match(stdout, why);
        if (existsSync(join(work, "victim"))) assert.equal(readFileSync(join(work, "victim"), "utf8"), "");
      }),
    );
  };
  const giveAway = (path: string) => {
    chmodSync(path, 0o666);
    chownSync(path, NOBODY, NOBODY);
  };

  refused("a named pipe that nobody reads", /a named pipe that nobody reads/, (path) => execFileSync("mkfifo", [path]));
  refused("a directory", /it is a directory/, (path) => mkdirSync(path));
  refused(
    "another user's link",
    /is a link that belongs to another user \(uid 65534\)/,
    (path, work) => {
      writeFileSync(join(work, "victim"), "");
      symlinkSync(join(work, "victim"), path);
      lchownSync(path, NOBODY, NOBODY);
    },
    notRoot,
  );
  refused(
    "another user's link that a link of one's own leads to",
    /is a link that belongs to another user/,
    (path, work) => {
      writeFileSync(join(work, "victim"), "");
      symlinkSync(join(work, "victim"), join(work, "theirs"));
      lchownSync(join(work, "theirs"), NOBODY, NOBODY);
      symlinkSync(join(work, "theirs"), path);
    },
    notRoot,
  );
  refused(
    "another user's file that anybody may write to",
    /it belongs to another user \(uid 65534\)/,
    (path) => {
      writeFileSync(path, "");
      giveAway(path);
    },
    notRoot,
  );
  refused("a second name, where anybody may make one", /it has a second name/, (path, work) => {
    writeFileSync(join(work, "victim"), "");
    linkSync(join(work, "victim"), path);
    chmodSync(join(work, "logs"), 0o1777);
  });

  test("a named pipe that somebody reads gets nothing", () =>
    inPlace(async ({ work, run }) => {
      const pipe = join(work, "logs/app.log");
      mkdirSync(join(work, "logs"));
      execFileSync("mkfifo", [pipe]);
      const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        assert.match((await run(TRY)).stdout, /ERR_ATEXIT_LOG .*a named pipe, whose reader could hold this program up/);
        assert.equal(readSync(fd, Buffer.alloc(10)), 0);
      } finally {
        closeSync(fd);
      }
    }));

  test("one's own link, a device, and the pipe of this program's own output are logs", () =>
    inPlace(async ({ work, environment }) => {
      symlinkSync("/dev/stdout", join(work, "output"));
      symlinkSync(join(work, "real.log"), join(work, "link"));
      const source = `
        import { logFile } from "atexit/resources";
        const to = (path, line) => logFile(path).write(line);
        to("/dev/null", "nowhere");
        to("/dev/stdout", "x".repeat(1_000_000)); // more than a pipe holds
        to(process.env.WORK + "/output", "through a link");
        to(process.env.WORK + "/link", "a file");`;
      // Node itself would give the program a socket, which has no path.
      const { stdout, stderr } = await withProgram(source, "program.mjs", (file) =>
        run("/bin/sh", ["-c", '"$0" "$1" | cat', process.execPath, file], { env: environment }),
      );
      assert.equal(stdout, `${"x".repeat(1_000_000)}\nthrough a link\n`, stderr);
      assert.equal(readFileSync(join(work, "real.log"), "utf8"), "a file\n");
    }));
});
