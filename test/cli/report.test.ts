// atexit report: what it makes of a trace, on a terminal and for other programs.
// The page is tested in a browser, in page.test.ts.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createWriteStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { finished } from "node:stream/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { HOSTILE, linesOf, type MadeUpShutdown, writeTrace } from "../support/made-up-trace.ts";
import { storiesOf, traceOf } from "../support/trace.ts";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { run } from "../support/run.ts";

const SLOW: MadeUpShutdown = {
  length: 1_000,
  outcome: "failed",
  grace: 1_100,
  cleanups: [
    { name: "http server", from: 0, to: 400, site: "listen (file:///app/server.js:12:3)" },
    { name: "queue", from: 400, to: 700, outcome: "timed out", waitingOn: ["a connection to 10.0.0.7:5672"] },
    { name: "pool", from: 710, to: 990 },
    { name: "connection", from: 720, to: 900, within: 2 },
    {
      name: "log",
      from: 990,
      to: 1_000,
      outcome: "failed",
      error: "Error: disk full\n    at close (file:///app/log.js:1:1)",
    },
  ],
};

/** What the command prints of a trace, in so many columns. */
async function shown(place: Place, shutdown: MadeUpShutdown, columns = 80, ...options: string[]): Promise<string> {
  writeTrace(traceOf(place), shutdown);
  const env = { ...place.environment, COLUMNS: String(columns) };
  const { stdout, stderr, code } = await atexit(place, ["report", traceOf(place), ...options], { env });
  assert.equal(code, 0, stderr);
  return stdout;
}

describe("on a terminal", () => {
  it("the waterfall, what to blame and the critical path", () =>
    inPlace(async (place) => {
      const text = await shown(place, SLOW);
      assert.equal(
        text,
        `server.js (pid 100, main thread): SIGTERM
took 1.00 s of a grace period of 1.10 s; 5 cleanups (1 timed out, 1 failed)

               0          200 ms      400 ms      600 ms      800 ms    deadline
  http server  ███████████████████████▋ 400 ms                                 │
  queue        ·······················█████████████████▊ 300 ms timed out      │
       waiting on a connection to 10.0.0.7:5672
  pool         ·········································████████████████▌ 280 ms
  └ connection                                           ██████████▋ 180 ms    │
  log          ············································ 10 ms failed ▋     │
       Error: disk full

Blame: the cleanups by their own time
     400 ms    40 %  http server  listen (file:///app/server.js:12:3)
     300 ms    30 %  queue  timed out
     180 ms    18 %  connection
     100 ms    10 %  pool
      10 ms   1.0 %  log  failed

Critical path: what the total is made of
    @0.00 ms     +400 ms  http server
     @400 ms     +300 ms  queue
     @700 ms      +10 ms  (between cleanups)
     @710 ms     +280 ms  pool
     @710 ms      +10 ms    (itself)
     @720 ms     +180 ms    connection
     @900 ms      +90 ms    (itself)
     @990 ms      +10 ms  log
`,
      );
    }));

  it("fits into any width", () =>
    inPlace(async (place) => {
      for (const columns of [40, 66, 80, 133, 200]) {
        const text = await shown(place, SLOW, columns);
        const waterfall = text.slice(text.indexOf("\n\n") + 2, text.indexOf("\n\nBlame"));
        for (const line of waterfall.split("\n")) assert.ok([...line].length <= columns, `${columns}: ${line}`);
        // Each bar is in it, and each label is whole.
        for (const label of ["400 ms", "300 ms timed out", "280 ms", "180 ms", "10 ms failed"]) {
          assert.ok(waterfall.includes(` ${label}`), `${columns}: ${label}\n${waterfall}`);
        }
      }
    }));

  it("a deadline that is far away is told, and not drawn", () =>
    inPlace(async (place) => {
      const text = await shown(place, { ...SLOW, grace: 30_000 });
      assert.match(text, /of a grace period of 30\.0 s/);
      assert.doesNotMatch(text, /deadline/);
    }));

  it("has colours on a terminal alone", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SLOW);
      const command = `${process.execPath} ${CLI} report ${traceOf(place)}`;
      const env = { ...place.environment, NO_COLOR: undefined, TERM: "xterm", CI: undefined };
      const { stdout } = await run("script", ["-qec", command, "/dev/null"], { env });
      assert.ok(stdout.includes("\x1b[32m█"), stdout);
      const without = await run("script", ["-qec", command, "/dev/null"], { env: { ...env, NO_COLOR: "1" } });
      assert.ok(!without.stdout.includes("\x1b[3"), without.stdout);
    }));

  it("shows the longest and those that did not end well, and says what it left out", () =>
    inPlace(async (place) => {
      const cleanups = Array.from({ length: 100 }, (_, n) => ({
        name: `cleanup ${n}`,
        from: n * 10,
        to: n * 10 + (n % 10) + 1,
        outcome: n === 50 ? "failed" : "ok",
      }));
      const text = await shown(place, { length: 1_000, cleanups }, 80, "--rows", "11");
      assert.match(text, /cleanup 50 .*1\.0 ms failed/);
      assert.match(text, /cleanup 99 /);
      assert.doesNotMatch(text, /cleanup 98 /);
      assert.match(text, /left out: 89 shorter cleanups, 449 ms together/);
    }));

  it("names cannot do anything to a terminal", () =>
    inPlace(async (place) => {
      const cleanups = HOSTILE.map((name, n) => ({
        name,
        from: n,
        to: n + 1,
        site: name,
        error: name,
        outcome: "failed",
      }));
      const text = await shown(place, {
        length: 20,
        program: HOSTILE[5] as string,
        error: HOSTILE[5] as string,
        cleanups,
      });
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
      assert.match(text, /\\u\{1b\}/);
    }));
});

describe("several shutdowns of one program", () => {
  it("are compared: what is usual, the worst, what has changed", () =>
    inPlace(async (place) => {
      const files = [100, 110, 90, 300].map((pool, day) => {
        const file = join(place.work, `${day}.trace.json`);
        const cleanups = [
          { name: `worker ${1000 + day}`, from: 0, to: 20 },
          { name: "pool", from: 20, to: 20 + pool },
          ...(day === 0 ? [{ name: "old", from: 400, to: 405 }] : []),
          ...(day === 3 ? [{ name: "new one", from: 400, to: 450 }] : []),
        ];
        writeTrace(file, { pid: 100 + day, beganAt: Date.UTC(2026, 0, day + 1), length: 500 + day, cleanups });
        return file;
      });
      const { stdout } = await atexit(place, ["report", ...files]);
      assert.match(
        stdout,
        /^4 shutdowns of server\.js\nmedian 502 ms, worst 503 ms, latest 503 ms; 0 did not end well\n/,
      );
      const rows = stdout.split("\n").map((text) => text.trim().replaceAll(/ {2,}/g, " | "));
      assert.ok(rows.includes("pool | 105 ms | 300 ms | 300 ms | +200 ms"), stdout);
      assert.ok(rows.includes("new one | 50 ms | 50 ms | 50 ms | new"), stdout);
      assert.ok(rows.includes("old | 5.0 ms | 5.0 ms | gone"), stdout);
      assert.ok(rows.includes("worker … | 20 ms | 20 ms | 20 ms | +0.00 ms"), stdout);
      assert.match(stdout, /The longest of 4 shutdowns\n\nserver\.js \(pid 103/);
      // The same of their directory.
      assert.equal((await atexit(place, ["report", place.work])).stdout, stdout);
    }));
});

describe("for other programs", () => {
  it("--format trace is one whole JSON document, of all files, also of one that is torn", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SLOW);
      const torn = join(place.work, "torn.json");
      writeFileSync(torn, `${readFileSync(traceOf(place), "utf8")}{"ph":"b","cat":"ate`);
      const { stdout } = await atexit(place, ["report", traceOf(place), torn, "--format", "trace"]);
      const { traceEvents } = JSON.parse(stdout) as { traceEvents: readonly { ph: string }[] };
      assert.equal(traceEvents.length, 2 * [...linesOf(SLOW)].length);
      const whole = join(place.work, "whole.json");
      await atexit(place, ["report", traceOf(place), "--format", "trace", "-o", whole]);
      assert.deepEqual(await storiesOf(place, whole), await storiesOf(place, traceOf(place)));
    }));

  it("--format json is what was made of it", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SLOW);
      const [story] = await storiesOf(place, traceOf(place));
      assert.equal(story?.endedAt, Date.UTC(2026, 0, 1) + 1_000);
      assert.equal(story.rows.length, 5);
      assert.deepEqual(story.rows[1]?.waitingOn, ["a connection to 10.0.0.7:5672"]);
    }));

  it("-o makes a file of the kind that its name says", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SLOW);
      const files = ["out.svg", "out.html", "out.txt"].map((name) => join(place.work, name));
      for (const file of files) assert.equal((await atexit(place, ["report", traceOf(place), "-o", file])).code, 0);
      const [svg, html, text] = files.map((file) => readFileSync(file, "utf8"));
      assert.match(svg ?? "", /^<svg /);
      assert.match(html ?? "", /^<!doctype html>/);
      assert.match(text ?? "", /^server\.js \(pid 100/);
    }));

  it("a hundred thousand cleanups are read in little memory, and what is left out is said", () =>
    inPlace(async (place) => {
      const out = createWriteStream(traceOf(place));
      out.write("[\n");
      const cleanups = Array.from({ length: 100_000 }, (_, n) => ({
        name: `cleanup ${n} ${"x".repeat(200)}`,
        from: n / 100,
        to: n / 100 + (n % 2_048 === 0 ? 0.009 : 0.001),
      }));
      const length = 1_010;
      for (const line of linesOf({
        length,
        outcome: "cut off",
        cleanups: [...cleanups, { name: "last", from: 1_001 }],
      })) {
        if (!out.write(`${JSON.stringify(line)},\n`)) await once(out, "drain");
      }
      out.end();
      await finished(out);
      for (const format of ["terminal", "html", "svg"]) {
        const file = join(place.work, `out.${format}`);
        const args = ["--max-old-space-size=32", CLI, "report", traceOf(place), "--format", format, "-o", file];
        const ended = await run(process.execPath, args, { env: place.environment });
        assert.equal(ended.code, 0, ended.stderr);
        const text = readFileSync(file, "utf8");
        assert.match(text, /100001 cleanups \(1 cut off\)/);
        assert.match(text, /9[89]\d{3} shorter cleanups, \d+ ms together/);
        assert.match(text, /cleanup 98304/);
        assert.ok(text.length < 3_000_000, `${format}: ${text.length} characters`);
      }
    }));
});

describe("errors", () => {
  const refused: readonly (readonly [string[], RegExp, number])[] = [
    [[], /takes the files that ATEXIT_TRACE has written/, 2],
    [["/no/such/file"], /ENOENT.*\/no\/such\/file/, 125],
    [["FILE", "--format", "pdf"], /--format takes one of terminal, html, svg, trace, json, and not pdf/, 2],
    [["FILE", "--rows", "many"], /--rows takes a number, and not many/, 2],
    [["EMPTY"], /there is no shutdown in /, 1],
    [["DIRECTORY"], /There is no trace in .*: none of its files ends in \.trace\.json/, 2],
  ];
  for (const [args, message, status] of refused) {
    it(`of ${args.join(" ") || "no argument"}`, () =>
      inPlace(async (place) => {
        writeTrace(traceOf(place), SLOW);
        writeFileSync(join(place.work, "empty"), "[\n");
        const places: Record<string, string> = {
          FILE: traceOf(place),
          EMPTY: join(place.work, "empty"),
          DIRECTORY: place.journals,
        };
        const { code, stderr, stdout } = await atexit(place, ["report", ...args.map((arg) => places[arg] ?? arg)]);
        assert.match(stderr, message);
        assert.equal(stdout, "");
        assert.equal(code, status);
      }));
  }

  it("lines that make no sense are left out, and counted", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SLOW);
      const odd =
        '{"ph":"b"},\nnonsense\n{"ph":"e","name":"x","args":{"n":1,"shutdown":"none"}},\n{"ph":"M","args":null},\n[1]\n';
      writeFileSync(traceOf(place), odd, { flag: "a" });
      const { code, stderr, stdout } = await atexit(place, ["report", traceOf(place)]);
      assert.equal(code, 0);
      assert.match(stderr, /4 lines cannot be read, and were left out/);
      assert.match(stdout, /5 cleanups/);
    }));

  it("a line ends at a line feed alone, whatever else ends lines in a name", () =>
    inPlace(async (place) => {
      const names = ["\r", "\v", "\f", "\u0085", "\u2028", "\u2029", "\r\n"].map((end) => `before${end}after`);
      const cleanups = names.map((name, n) => ({ name, from: n, to: n + 1, site: name, waitingOn: [name] }));
      writeTrace(traceOf(place), { length: names.length, program: names.join(""), cleanups });
      const { code, stderr } = await atexit(place, ["report", traceOf(place)]);
      assert.deepEqual([code, stderr], [0, ""]);
      const [story] = await storiesOf(place, traceOf(place));
      assert.deepEqual(
        story?.rows.map(({ name }) => name),
        names,
      );
    }));

  it("a reader who has seen enough is no error", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SLOW);
      const command = `${process.execPath} ${CLI} report ${traceOf(place)} --format json | head -1`;
      const { stdout, stderr } = await run("sh", ["-c", command], { env: place.environment });
      assert.equal(stdout, "[\n");
      assert.equal(stderr, "");
      assert.ok(existsSync(traceOf(place)));
    }));
});
