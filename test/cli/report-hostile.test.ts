// atexit report reads files that anybody may have written: whatever is in them, it
// ends in bounded time and memory, and what they say stays text.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { linesOf, type MadeUpShutdown, writeTrace } from "../support/made-up-trace.ts";
import { CLI } from "../support/package-under-test.ts";
import { atexit, inPlace, type Place } from "../support/place.ts";
import { forEachSideBySide, run } from "../support/run.ts";
import { storiesOf, traceOf } from "../support/trace.ts";

type Fields = Record<string, unknown>;
type Line = Fields & { args: Fields };

const SMALL: MadeUpShutdown = { length: 10, cleanups: [{ name: "pool", from: 0, to: 5 }] };

const BEGIN = { kind: "uncaughtException", code: 1, error: "Error: no" };

/** A shutdown with a record of each kind, all of whose fields are right. */
function linesWith(change: (lines: Line[]) => void): string {
  const lane = { cat: "atexit", pid: 100, tid: 100, ts: 1e15 };
  const cleanup = { shutdown: "1", n: 0 };
  const replay = { replay: "r", by: "guard", durable: "j:1", program: "server.js" };
  const lines: Line[] = [
    { ph: "M", name: "thread_name", ...lane, args: { name: "main thread" } },
    {
      ph: "b",
      id: "1",
      name: "shutdown",
      ...lane,
      args: { atexit: 1, program: "server.js", node: "v24", exit: { ...BEGIN }, deadline: 1e15, grace: 9, queued: 2 },
    },
    {
      ph: "M",
      name: "atexit_queue",
      ...lane,
      args: { shutdown: "1", cleanups: [{ n: 1, name: "file", site: "a:1:1", durable: "j:1" }] },
    },
    {
      ph: "b",
      id: "1",
      name: "pool",
      ...lane,
      args: { ...cleanup, name: "pool", site: "b:1:1", within: 7, deadline: 1e15 },
    },
    { ph: "n", id: "1", name: "waiting on", ...lane, args: { ...cleanup, waitingOn: ["a timer"] } },
    { ph: "e", id: "1", name: "pool", ...lane, args: { ...cleanup, outcome: "failed", error: "Error: no" } },
    { ph: "b", id: "r", name: "remove file", ...lane, args: replay },
    { ph: "e", id: "r", name: "remove file", ...lane, args: { ...replay, outcome: "done", why: "it was there" } },
    { ph: "e", id: "1", name: "shutdown", ...lane, args: { outcome: "given up" } },
  ];
  change(lines);
  return `[\n${lines.map((line) => `${JSON.stringify(line)},\n`).join("")}`;
}

/** Every place of a record where a value can be, but for that without which there is no shutdown. */
function placesIn(lines: readonly Line[]): (readonly [line: number, path: readonly string[]])[] {
  const inFields = (fields: Fields, path: readonly string[]): string[][] =>
    Object.entries(fields).flatMap(([name, value]) => [
      [...path, name],
      ...(typeof value === "object" && value !== null ? inFields(value as Fields, [...path, name]) : []),
    ]);
  return lines.flatMap((line, at) =>
    inFields(line, []).flatMap((path) =>
      at === 1 && ["ph", "id", "pid", "args", "args.atexit"].includes(path.join(".")) ? [] : [[at, path] as const],
    ),
  );
}

function changed(line: number, path: readonly string[], value: unknown): string {
  return linesWith((lines) => {
    let fields = lines[line] as Fields;
    for (const name of path.slice(0, -1)) fields = fields[name] as Fields;
    fields[path.at(-1) as string] = value;
  });
}

const MARKUP = '"><hacked/>\u001b[31m\u009b31m\u202e</script>\u2028';

/** Characters that control a terminal, or the order of letters; a line feed is the report's own. */
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/;

describe("any value in any field of a trace", () => {
  const values = {
    markup: MARKUP,
    "a number": 5,
    "a negative time": -1e300,
    null: null,
    "a list": [MARKUP],
    "an object": { toString: 5 },
  };
  for (const [what, value] of Object.entries(values)) {
    it(what, () =>
      inPlace(async (place) => {
        const lines: Line[] = [];
        linesWith((made) => lines.push(...made));
        const places = placesIn(lines);
        assert.ok(places.length > 80);
        // A page has pictures of twenty shutdowns.
        const parts = Array.from({ length: Math.ceil(places.length / 20) }, (_, part) =>
          places.slice(part * 20, part * 20 + 20),
        );
        await forEachSideBySide(parts.entries(), 2, async ([part, some]) => {
          const directory = join(place.work, String(part));
          mkdirSync(directory);
          some.forEach(([line, path], n) =>
            writeFileSync(join(directory, `${n}.trace.json`), changed(line, path, value)),
          );
          for (const format of what === "markup" ? ["terminal", "html", "json"] : ["terminal", "html"]) {
            const { code, signal, stdout, stderr } = await atexit(place, ["report", directory, "--format", format]);
            assert.deepEqual([code, signal], [0, null], `${format} of ${JSON.stringify(some)}: ${stderr}`);
            // The page's own script is no text of a file.
            const told = stdout.replace(/<script>[^]*<\/script>\n<\/body>/, "");
            assert.doesNotMatch(told, CONTROLS);
            if (format === "html") assert.doesNotMatch(told, /<hacked/);
          }
        });
      }),
    );
  }
});

it("a shutdown of a newer version, with a way out that this one does not know, is told with its name", () =>
  inPlace(async (place) => {
    writeFileSync(traceOf(place), changed(1, ["args", "exit"], { kind: "power button", code: 0 }));
    const { stdout } = await atexit(place, ["report", traceOf(place)]);
    assert.match(stdout, /^server\.js \(pid 100, main thread\): power button\ngiven up after/);
  }));

describe("in bounded time and memory", () => {
  const MANY = 30_000;
  const at = (n: number) => ({ cat: "atexit", pid: 1, tid: 1, ts: 1e15 + n });
  const begin = (id: string, more: Fields = {}, lane: Fields = {}) => ({
    ph: "b",
    id,
    name: "shutdown",
    ...at(0),
    ...lane,
    args: { atexit: 1, program: "server.js", exit: BEGIN, queued: 0, ...more },
  });
  const step = (ph: "b" | "e", n: number, more: Fields = {}, time = n) => ({
    ph,
    id: "1",
    name: "c",
    ...at(time),
    args: { shutdown: "1", n, name: `cleanup ${n}`, outcome: "ok", ...more },
  });
  const replay = (n: number, pid = 1) => ({
    ph: "b",
    id: `r${n}`,
    name: `remove ${n}`,
    ...at(n),
    pid,
    args: { replay: `r${n}`, by: "guard", durable: `j:${n}`, program: "server.js" },
  });
  const numbers = Array.from({ length: MANY }, (_, n) => n);
  const attacks: Readonly<Record<string, () => Iterable<unknown>>> = {
    *"cleanups that begin and never end"() {
      yield begin("1");
      for (const n of numbers) yield step("b", n);
    },
    *"each cleanup within the one before it"() {
      yield begin("1");
      for (const n of numbers) yield step("b", n, { within: n - 1 });
      for (const n of numbers) yield step("e", MANY - 1 - n, {}, MANY + n);
    },
    *"cleanups within one another in a circle, again and again"() {
      yield begin("1");
      yield step("b", 0);
      for (const n of numbers) {
        yield step("b", n % 3, { within: (n + 1) % 3 }, n);
        yield step("e", n % 3, {}, n + 1);
      }
    },
    *"ends before beginnings, and times that no clock shows"() {
      yield begin("1", { deadline: -1e300, grace: 1e300 }, { ts: 8.64e18 });
      for (const n of numbers) yield step("b", n, {}, (n % 7) * 1e18 - 2e15);
      for (const n of numbers) yield step("e", n, {}, -n);
    },
    *"shutdowns of one program"() {
      for (const n of numbers) yield begin(String(n), {}, { ts: 1e15 + n });
    },
    *"shutdowns of many programs, in which nothing has a name twice"() {
      for (const n of numbers) {
        yield begin("1", { program: `p${n % 40}` }, { ts: 1e15 + n });
        yield step("b", 0, { name: n.toString(36).replace(/\d/g, "-") }, n);
        yield step("e", 0, {}, n + 1);
      }
    },
    *"replays that never end"() {
      yield begin("1");
      for (const n of numbers.slice(0, 20_000)) yield step("b", n, { durable: `other:${n}` });
      for (const n of numbers) yield replay(n);
    },
    *"replays for as many processes"() {
      for (const n of numbers) yield replay(n, n);
    },
    *"names of as many threads"() {
      yield begin("1");
      for (const n of numbers) yield { ph: "M", name: "thread_name", ...at(0), tid: n, args: { name: `thread ${n}` } };
    },
    *"long names"() {
      yield begin("1", { program: "p".repeat(100_000) });
      yield begin("2", { program: "p".repeat(100_000) });
      for (const n of numbers.slice(0, 1_000)) {
        const long = (n % 2 === 0 ? "a" : "\u0301").repeat(50_000);
        yield step("b", n, { shutdown: "2", name: long, site: long });
        yield step("e", n, { shutdown: "2", outcome: "failed", error: long });
      }
    },
    *"a queue that is one record"() {
      yield begin("1", { queued: MANY });
      const cleanups = numbers.map((n) => ({ n, name: "queued", durable: `j:${n}` }));
      yield { ph: "M", name: "atexit_queue", ...at(0), args: { shutdown: "1", cleanups } };
    },
  };
  for (const [what, attack] of Object.entries(attacks)) {
    it(what, () =>
      inPlace(async (place) => {
        const out = openSync(traceOf(place), "w");
        let lines = "[\n";
        for (const line of attack()) {
          lines += `${JSON.stringify(line)},\n`;
          if (lines.length < 1_000_000) continue;
          writeSync(out, lines);
          lines = "";
        }
        writeSync(out, lines);
        closeSync(out);
        for (const format of ["terminal", "html"])
          await reported(place, ["--format", format, "-o", join(place.work, "out")]);
      }),
    );
  }

  it("a file of 700 MB without the end of a line", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SMALL);
      truncateSync(traceOf(place), 700 * 1024 * 1024);
      const { stdout, stderr } = await reported(place, []);
      assert.match(stdout, /^server\.js .*\n.*1 cleanup\n/);
      assert.match(stderr, /: 1 lines cannot be read, and were left out\n$/);
    }));

  it("JSON as deep as a line is long", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SMALL);
      const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
      writeFileSync(
        traceOf(place),
        `{"ph":"b","args":{"n":1,"shutdown":"1","x":${deep(100_000)}}},\n${"[".repeat(1e6)}\n`,
        {
          flag: "a",
        },
      );
      assert.match((await reported(place, [])).stdout, /^server\.js .*\n.*1 cleanup\n/);
      const { stdout } = await reported(place, ["--format", "trace"]);
      assert.ok(stdout.includes(deep(100_000)));
    }));

  it("so many shutdowns are kept, and it is said how many are not", () =>
    inPlace(async (place) => {
      const lines = numbers
        .slice(0, 30_000)
        .map((n) => `${JSON.stringify(begin(String(n), {}, { ts: 1e15 + n * 1e3 }))},\n`);
      writeFileSync(traceOf(place), `[\n${lines.join("")}`);
      const { stdout, stderr } = await reported(place, ["--format", "json"]);
      const kept = (JSON.parse(stdout) as unknown[]).length;
      assert.ok(kept >= 10_000 && kept <= 20_000, String(kept));
      assert.equal(stderr, `atexit: ${MANY - kept} earlier shutdowns were left out\n`);
    }));

  /** Reads the trace with little memory; and not for ever. */
  async function reported(place: Place, options: readonly string[]) {
    const args = ["--max-old-space-size=160", CLI, "report", traceOf(place), ...options];
    const { code, signal, stdout, stderr } = await run(process.execPath, args, { env: place.environment });
    assert.deepEqual([code, signal], [0, null], stderr);
    return { stdout, stderr };
  }
});

it("shutdowns of many files: the latest and the longest whole, of others the cleanups that matter most", () =>
  inPlace(async (place) => {
    for (let n = 0; n < 120; n += 1) {
      const cleanups = Array.from({ length: 30 }, (_, c) => ({ name: `c${c}`, from: c, to: c + 0.5 + c / 100 }));
      const shutdown = { pid: n, beganAt: Date.UTC(2026, 0, 1) + n * 1_000, length: n === 7 ? 5_000 : 100, cleanups };
      writeFileSync(
        join(place.work, `${String(n).padStart(3, "0")}.trace.json`),
        `[\n${[...linesOf(shutdown)].map((line) => `${JSON.stringify(line)},\n`).join("")}`,
      );
    }
    const stories = await storiesOf(place, place.work);
    assert.equal(stories.length, 120);
    assert.deepEqual([stories[0]?.rows.length, stories[0]?.leftOut.count], [20, 10]);
    assert.deepEqual([stories[7]?.rows.length, stories[119]?.rows.length], [30, 30]);
  }));

describe("only regular files are opened", () => {
  it("a named pipe that is named is refused", () =>
    inPlace(async (place) => {
      execFileSync("mkfifo", [traceOf(place)]);
      const { code, stderr } = await atexit(place, ["report", traceOf(place)]);
      assert.equal(code, 125);
      assert.equal(stderr, `atexit: EFTYPE: ${traceOf(place)} is no regular file\n`);
    }));

  it("a named pipe, a device and a directory among others are said, and left out", () =>
    inPlace(async (place) => {
      const file = (name: string) => join(place.work, `${name}.trace.json`);
      writeTrace(file("good"), SMALL);
      execFileSync("mkfifo", [file("pipe")]);
      symlinkSync("/dev/zero", file("device"));
      mkdirSync(file("directory"));
      const { code, stdout, stderr } = await atexit(place, ["report", place.work]);
      assert.equal(code, 0);
      assert.match(stdout, /^server\.js/);
      assert.deepEqual(stderr.match(/EFTYPE: .* is no regular file/g)?.length, 3, stderr);
    }));

  it("nothing is written into a named pipe", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SMALL);
      const out = join(place.work, "out.html");
      execFileSync("mkfifo", [out]);
      const { code, stderr } = await atexit(place, ["report", traceOf(place), "-o", out]);
      assert.equal(code, 125);
      assert.match(stderr, /^atexit: E\w+: .*out\.html.*\n$/);
    }));

  it("a link that is named leads to what is meant", () =>
    inPlace(async (place) => {
      writeTrace(traceOf(place), SMALL);
      symlinkSync(traceOf(place), join(place.work, "link"));
      writeFileSync(join(place.work, "page.html"), "");
      symlinkSync(join(place.work, "page.html"), join(place.work, "link.html"));
      const { code } = await atexit(place, ["report", join(place.work, "link"), "-o", join(place.work, "link.html")]);
      assert.equal(code, 0);
      assert.match(readFileSync(join(place.work, "page.html"), "utf8"), /^<!doctype html>/);
    }));
});

it("the names of files are printed as text", () =>
  inPlace(async (place) => {
    const { stderr } = await atexit(place, ["report", join(place.work, "no\u001b[31m such\u009bfile")]);
    assert.match(stderr, /^atexit: ENOENT.*no\\u\{1b\}\[31m such\\u\{9b\}file/);
  }));
