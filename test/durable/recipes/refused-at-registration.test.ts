// What no recipe takes: an error with a code, a message that says what to pass
// instead, and nothing registered or written down.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { inPlace, type Place } from "../../support/place.ts";

interface Row {
  readonly name: string;
  /** What is called. */
  readonly call: string;
  readonly code: string;
  readonly message: RegExp;
}

const precious = (name: string, path: string, what: RegExp): Row => ({
  name,
  call: `remove(${path})`,
  code: "ERR_ATEXIT_PROTECTED_PATH",
  message: what,
});

const ROOT = /is the root directory, and is not removed/;
const HOME = /is (?:the home directory|a directory that holds the home directory)/;
const WORKING = /is (?:the working directory|a directory that holds the working directory)/;

const removes: readonly Row[] = [
  precious("the root", '"/"', ROOT),
  precious("the root, spelled otherwise", '"//usr/../"', ROOT),
  precious("the home directory", "homedir()", HOME),
  precious("the home directory with slashes", 'homedir() + "///"', HOME),
  precious("what the home directory is in", "dirname(homedir())", HOME),
  precious("the working directory", '"."', WORKING),
  precious("its parent", '".."', WORKING),
  precious("its parent, through a link", 'at("link/parent")', WORKING),
  precious("its parent as a URL", 'pathToFileURL("..")', WORKING),
  { name: "no path", call: 'remove("")', code: "ERR_ATEXIT_PATH", message: /a path or a file: URL/ },
  { name: "a NUL byte", call: 'remove("/tmp/x\\0y")', code: "ERR_ATEXIT_PATH", message: /a path or a file: URL/ },
  { name: "a number", call: "remove(3)", code: "ERR_ATEXIT_PATH", message: /a path or a file: URL/ },
  { name: "an http: URL", call: 'remove(new URL("http://x/y"))', code: "ERR_ATEXIT_PATH", message: /file: URL/ },
  {
    name: "a relative path where the working directory is gone",
    call: '(fs.rmSync(process.cwd(), { recursive: true }), remove("x"))',
    code: "ERR_ATEXIT_NO_DIRECTORY",
    message: /Pass an absolute path/,
  },
];

const kills: readonly Row[] = [
  ["this very process", "process.pid"],
  ["0, which is a whole process group", "0"],
  ["1", "1"],
  ["a negative number", "-5"],
  ["half a number", "1234.5"],
  ["a string", '"1234"'],
  ["nothing", "undefined"],
  ["a pid that nobody has", "4_194_304"],
  ["a child that was never started", 'spawn("no-such-command").on("error", () => {})'],
  ["its parent", "process.ppid"],
  [
    "what its parent descends from",
    'Number(/\\) . (\\d+)/.exec(fs.readFileSync(`/proc/${process.ppid}/stat`, "utf8"))[1])',
  ],
  ["a thread of its own", 'Number(fs.readdirSync("/proc/self/task").find((thread) => thread !== String(process.pid)))'],
].map(([name, argument]) => ({
  name: `${name}`,
  call: `kill(${argument})`,
  code: "ERR_ATEXIT_PROCESS",
  message: /Pass a ChildProcess, or the pid/,
}));

const others: readonly Row[] = [
  {
    name: "a signal that is none",
    call: 'kill(process.ppid, { signal: "SIGNOTHING" })',
    code: "ERR_ATEXIT_SIGNAL",
    message: /SIGTERM/,
  },
  {
    name: "a grace that is none",
    call: "kill(process.ppid, { grace: -1 })",
    code: "ERR_ATEXIT_TIME",
    message: /milliseconds/,
  },
  { name: "no command", call: 'exec("")', code: "ERR_ATEXIT_COMMAND", message: /a program's name or path/ },
  {
    name: "arguments as one string",
    call: 'exec("rm", "-f x")',
    code: "ERR_ATEXIT_COMMAND",
    message: /an array of strings/,
  },
  {
    name: "an argument that is no string",
    call: 'exec("rm", [1])',
    code: "ERR_ATEXIT_COMMAND",
    message: /an array of strings/,
  },
  {
    name: "a NUL byte in an argument",
    call: 'exec("rm", ["\\0"])',
    code: "ERR_ATEXIT_COMMAND",
    message: /an array of strings/,
  },
  {
    name: "an environment that is none",
    call: 'exec("rm", [], { env: { A: 1 } })',
    code: "ERR_ATEXIT_COMMAND",
    message: /an object of strings/,
  },
  ...["{ 'A=B': 'x' }", "{ '': 'x' }", "{ 'A\\0B': 'x' }"].map((env) => ({
    name: `a variable without a name that can be one: ${env}`,
    call: `exec("rm", [], { env: ${env} })`,
    code: "ERR_ATEXIT_COMMAND",
    message: /A variable's name must be a word without = or NUL/,
  })),
  {
    name: "a variable's value with a NUL byte",
    call: 'exec("rm", [], { env: { A: "x\\0y" } })',
    code: "ERR_ATEXIT_COMMAND",
    message: /an object of strings/,
  },
  {
    name: "a working directory with a NUL byte",
    call: 'exec("rm", [], { cwd: "a\\0b" })',
    code: "ERR_ATEXIT_COMMAND",
    message: /cwd must be a path/,
  },
  {
    name: "a time limit that is none",
    call: 'exec("rm", [], { timeout: Infinity })',
    code: "ERR_ATEXIT_TIME",
    message: /milliseconds/,
  },
  {
    name: "a module's bare name",
    call: 'call("lodash", "x")',
    code: "ERR_ATEXIT_MODULE",
    message: /import\.meta\.url/,
  },
  {
    name: "a module's relative path",
    call: 'call("./x.js", "x")',
    code: "ERR_ATEXIT_MODULE",
    message: /import\.meta\.url/,
  },
  {
    name: "a data: URL",
    call: 'call("data:text/javascript,", "x")',
    code: "ERR_ATEXIT_MODULE",
    message: /import\.meta\.url/,
  },
  {
    name: "the function itself",
    call: "call(import.meta.url, () => {})",
    code: "ERR_ATEXIT_EXPORT",
    message: /must be a string/,
  },
  ...[
    "undefined",
    "() => {}",
    "1n",
    "NaN",
    "Infinity",
    'Symbol("x")',
    "new Date(0)",
    "new Map()",
    "/x/",
    "new (class Point {})()",
    "{ a: [1, { b: undefined }] }",
    "[1, , 3]",
    "{ toJSON: 1 }",
    "(() => { const ring = {}; ring.ring = ring; return ring; })()",
    "Buffer.from([1])",
  ].map((value) => ({
    name: `what JSON cannot carry: ${value}`,
    call: `call(import.meta.url, "x", "fine", ${value})`,
    code: "ERR_ATEXIT_JSON",
    message: /^argument 2.*JSON carries null, booleans, finite numbers, strings, arrays and plain objects/s,
  })),
  { name: "settings that are none", call: "configure(3)", code: "ERR_ATEXIT_SETTINGS", message: /fsync/ },
  {
    name: "an unknown setting",
    call: "configure({ guards: false })",
    code: "ERR_ATEXIT_SETTINGS",
    message: /journalDir, fsync, guard/,
  },
  {
    name: "a setting of the wrong kind",
    call: 'configure({ guard: "off" })',
    code: "ERR_ATEXIT_SETTINGS",
    message: /true or false/,
  },
];

const child = 'spawn("true")';
const option = (call: string, message: RegExp): Row => ({ name: call, call, code: "ERR_ATEXIT_OPTION", message });
const signal = (call: string): Row => ({ name: call, call, code: "ERR_ATEXIT_SIGNAL", message: /SIGTERM/ });
const time = (call: string): Row => ({ name: call, call, code: "ERR_ATEXIT_TIME", message: /milliseconds/ });

const resources: readonly Row[] = [
  ...["1234", "process.ppid", '"1234"', "null", "undefined", "{ pid: 1234 }"].map((given) =>
    option(`child(${given})`, /The child must be what spawn\(\) returned; kill\(\) takes a pid/),
  ),
  signal(`child(${child}, { signal: "SIGNOTHING" })`),
  time(`child(${child}, { grace: "1" })`),
  ...["SIGKILL", "SIGSTOP", "SIGNOTHING"].map((name) => signal(`logFile(at("log"), { reopenOn: "${name}" })`)),
  option('logFile("")', /The log file/),
  option('logFile(at("log"), { last: 3 })', /last must be a string/),
  option("tempFile({ prefix: 3 })", /prefix must be a string/),
  option('tempDir({ suffix: "a/b" })', /suffix must be a string/),
  time("server(http.createServer(), { grace: -1 })"),
  time('server(http.createServer(), { drainDelay: "1" })'),
  option("closing(null)", /What to close/),
  option('closing({ close() {} }, "close")', /close must be a function/),
  option("closing({ name: 3 }, { close() {} })", /name must be a string/),
  time("closing({ timeout: -1 }, { close() {} })"),
  option("worker(3)", /a Worker, or a pool/),
  option("worker({ threads: 3, destroy() {} })", /a Worker, or a pool/),
  time("worker({ threads: [], destroy() {} }, { grace: -1 })"),
  signal('clusterWorkers({ signal: "SIGNOTHING" })'),
  time("clusterWorkers({ grace: Number.NaN })"),
  time("endWithParent({ interval: -1 })"),
  option("endWithParent({ stdin: 1 })", /stdin must be true or false/),
  option('lockFile("")', /The lock file/),
  time('lockFile(at("lock"), { wait: -1 })'),
];

/** What a program prints that makes these calls, one after the other: for each "taken", or what was thrown and what there is then. */
async function printedBy(calls: readonly string[], place: Place): Promise<string[]> {
  const source = `
    import { spawn } from "node:child_process";
    import fs from "node:fs";
    import { homedir } from "node:os";
    import { dirname } from "node:path";
    import { pathToFileURL } from "node:url";
    import { count } from "atexit";
    import http from "node:http";
    import { call, configure, exec, kill, remove } from "atexit/durable";
    import { child, closing, clusterWorkers, endWithParent, lockFile, logFile, server, tempDir, tempFile, worker } from "atexit/resources";
    const at = (name) => process.env.WORK + "/" + name;
    fs.mkdirSync(at("parent/inner"), { recursive: true });
    fs.symlinkSync(process.env.WORK, at("link"));
    process.chdir(at("parent/inner"));
    process.env.HOME = at("home/me");
    fs.mkdirSync(at("home/me"), { recursive: true });
    for (const attempt of [${calls.map((call) => `async () => ${call}`).join(",\n")}]) {
      try {
        await attempt();
        console.log("taken");
      } catch (error) {
        console.log(JSON.stringify([error.code, error.message, count(), fs.readdirSync(process.env.ATEXIT_DIR)]));
      }
    }`;
  const { stdout, stderr } = await place.run(source);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, calls.length, stderr);
  return lines;
}

describe("refused at registration", () => {
  const rows = [...removes, ...kills, ...others, ...resources];
  // One of them takes the program's working directory away: it comes last.
  const isLast = ({ call }: Row) => call.includes("cwd()");
  const inOrder = [...rows.filter((row) => !isLast(row)), ...rows.filter(isLast)];
  const printed = new Map<Row, string>();

  before(() =>
    inPlace(async (place) => {
      const lines = await printedBy(
        inOrder.map(({ call }) => call),
        place,
      );
      lines.forEach((line, n) => printed.set(inOrder[n] as Row, line));
    }),
  );

  for (const row of rows) {
    test(`${row.call.split("(")[0]}: ${row.name}`, () => {
      const line = printed.get(row) as string;
      assert.notEqual(line, "taken");
      const [code, message, count, journals] = JSON.parse(line) as [string, string, number, string[]];
      assert.equal(code, row.code);
      assert.match(message, row.message);
      assert.equal(count, 0, "nothing is registered");
      assert.deepEqual(journals, [], "nothing is written down");
    });
  }
});
