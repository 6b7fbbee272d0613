// What systemd hears, on a real datagram socket that records it, by each of the
// programs that can speak to it.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { withUrls } from "../support/package-under-test.ts";
import { inPlace, type Place } from "../support/place.ts";
import { printed, statusOf } from "../support/run.ts";

/** Where Python itself is: what is found by its name may be a script that looks for it. */
const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();

/** Records each datagram as a line of JSON. */
const RECORDER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to = sys.argv[1]
s.bind("\\0" + to[1:] if to[0] == "@" else to)
print("bound", flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)`;

/** A socket of the service manager, and what has arrived there. */
async function recorded(address: string, body: (messages: readonly string[]) => Promise<void>): Promise<void> {
  const recorder = spawn(python, ["-c", RECORDER, address], { stdio: ["ignore", "pipe", "inherit"] });
  const messages: string[] = [];
  let rest = "";
  try {
    const bound = printed(recorder, "bound\n");
    recorder.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() as string;
      // systemd-notify asks, after each message, to be told when it has been read.
      for (const line of lines) {
        if (line.startsWith('"') && !line.includes("BARRIER")) messages.push(JSON.parse(line) as string);
      }
    });
    await bound;
    await body(messages);
  } finally {
    const exited = once(recorder, "exit");
    recorder.kill();
    await exited;
  }
}

/** A directory with that program alone, and what it takes to be one. */
function pathWith(place: Place, program: string): string {
  const directory = join(place.work, `only-${program}`);
  mkdirSync(directory);
  const real = program === "python3" ? python : execFileSync("which", [program], { encoding: "utf8" }).trim();
  if (program === "python3") writeFileSync(join(directory, program), `#!/bin/sh\nexec ${real} "$@"\n`, { mode: 0o755 });
  else symlinkSync(real, join(directory, program));
  return directory;
}

/** Ready, then a shutdown of two and a half seconds that goes on, cleanup by cleanup. */
const SERVICE = `
  import { register } from "atexit";
  import { start } from "atexit/app";
  const app = await start("myapp", { dir: process.env.WORK + "/state", quiet: true });
  for (let n = 0; n < 5; n += 1) register(() => new Promise((resolve) => setTimeout(resolve, 500)));
  app.status("Warming\\nup");
  await app.ready();
  await app.ready();
  console.log("ready");
  setTimeout(() => process.kill(process.pid, "SIGTERM"), 700);
  setInterval(() => {}, 1_000);`;

describe("a service of type notify", { concurrency: 3 }, () => {
  for (const [kind, addressIn] of [
    ["a path", ({ work }: Place) => join(work, "notify")],
    ["an abstract socket", () => `@atexit-test-${process.pid}-${Math.random()}`],
  ] as const) {
    for (const program of ["systemd-notify", "perl", "python3"]) {
      const missing = spawnSync("which", [program]).status !== 0 && `${program} is not installed`;
      test(
        `${program}, ${kind}: READY, WATCHDOG, STOPPING, and more time while cleanups make progress`,
        { skip: missing },
        () =>
          inPlace(async (place) => {
            const address = addressIn(place);
            await recorded(address, async (messages) => {
              const ended = await place.run(SERVICE, {
                env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: "400000", PATH: pathWith(place, program) },
              });
              assert.equal(statusOf(ended), "SIGTERM", ended.stderr);
              assert.equal(ended.stderr, "");
              const [status, ready] = messages.filter((message) => !message.startsWith("WATCHDOG"));
              assert.equal(status, "STATUS=Warming up");
              assert.match(ready as string, /^READY=1\nMAINPID=\d+$/);
              const watchdogs = messages.filter((message) => message === "WATCHDOG=1").length;
              assert.ok(watchdogs >= 5, `${watchdogs} in three seconds, at a half of 0.4`);
              const stopping = messages.indexOf("STOPPING=1");
              assert.ok(stopping > 0, messages.join(" | "));
              assert.ok(messages.slice(stopping).includes("WATCHDOG=1"), "it lives while it ends");
              const extended = messages
                .slice(stopping)
                .filter((message) => message.startsWith("EXTEND_TIMEOUT_USEC=5000000\n"));
              assert.ok(extended.length >= 2, messages.join(" | "));
              assert.match(extended[0] as string, /\nSTATUS=\d+ cleanups left, [1-3] done in the last second$/);
              assert.equal(messages.filter((message) => message.includes("READY=1")).length, 1);
            });
          }),
      );
    }
  }
});

test("a loop that is blocked asks for no more time", () =>
  inPlace(async (place) => {
    const address = join(place.work, "notify");
    await recorded(address, async (messages) => {
      const source = `
        import { register } from "atexit";
        import { start } from "atexit/app";
        await start("myapp", { dir: process.env.WORK + "/state", quiet: true });
        register(() => { for (const end = Date.now() + 2_500; Date.now() < end; ); });
        process.exit();`;
      const ended = await place.run(source, { env: { NOTIFY_SOCKET: address, ATEXIT_GRACE: "4s" } });
      assert.equal(ended.code, 0, ended.stderr);
      // Not once a second: at most once, when it is free again.
      assert.ok(messages.filter((message) => message.includes("EXTEND_TIMEOUT_USEC")).length <= 1);
      assert.ok(messages.includes("STOPPING=1"), messages.join(" | "));
    });
  }));

test("another process's watchdog is left to it", () =>
  inPlace(async (place) => {
    const address = join(place.work, "notify");
    await recorded(address, async (messages) => {
      const source = `
        import { start } from "atexit/app";
        const app = await start("myapp", { dir: process.env.WORK + "/state", quiet: true });
        await new Promise((resolve) => setTimeout(resolve, 300));
        await app.ready();`;
      const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" };
      const ended = await place.run(source, { env });
      assert.equal(ended.code, 0, ended.stderr);
      assert.deepEqual(
        messages.map((message) => message.split("=")[0]),
        ["READY", "STOPPING"],
      );
    });
  }));

test("where nobody can speak to it one warning says what to install, and the program goes on", () =>
  inPlace(async (place) => {
    const empty = join(place.work, "empty");
    mkdirSync(empty);
    const source = `
      import { start } from "atexit/app";
      const app = await start("myapp", { dir: process.env.WORK + "/state", quiet: true });
      await app.ready();
      app.status("a");
      console.log("ready");`;
    const env = { NOTIFY_SOCKET: join(place.work, "nobody"), PATH: empty, ATEXIT_GUARD: "off" };
    const { code, stdout, stderr } = await place.run(source, { env });
    assert.deepEqual([code, stdout], [0, "ready\n"]);
    assert.equal(stderr.match(/ERR_ATEXIT_NOTIFY/g)?.length, 1, stderr);
    assert.match(stderr, /Install systemd-notify, perl or python3/);
  }));

test("without a service manager nothing is started and nothing is sent", () =>
  inPlace(async (place) => {
    const source = `
      import { channel } from "node:diagnostics_channel";
      import { start } from "atexit/app";
      let children = 0;
      channel("child_process").subscribe(() => (children += 1));
      const app = await start("myapp", { dir: process.env.WORK + "/state", quiet: true, lock: false });
      await app.ready();
      app.status("a");
      console.log(children);`;
    const { stdout, stderr } = await place.run(source, { env: { ATEXIT_GUARD: "off", NOTIFY_SOCKET: undefined } });
    assert.equal(stdout, "0\n", stderr);
  }));

test("sockets that it has handed over are served, one after the other", () =>
  inPlace(async (place) => {
    const source = `
      import { createServer } from "node:http";
      import { start } from "atexit/app";
      const app = await start("myapp", { dir: process.env.WORK + "/state", quiet: true, log: false });
      for (const name of ["first", "second"]) await app.serve(createServer((_, response) => response.end(name)));
      const { port } = await app.serve(createServer());
      console.log(port > 0);`;
    const sockets = [createServer(), createServer()].map((each) => each.listen(0, "127.0.0.1"));
    for (const socket of sockets) if (!socket.listening) await once(socket, "listening");
    const urls = sockets.map((socket) => `http://127.0.0.1:${(socket.address() as AddressInfo).port}/`);
    const fds = sockets.map((socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd);
    writeFileSync(join(place.work, "service.mjs"), withUrls(source));
    const child = spawn(
      "sh",
      ["-c", 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" "$1"', process.execPath, join(place.work, "service.mjs")],
      {
        env: place.environment,
        stdio: ["ignore", "pipe", "inherit", ...fds],
      },
    );
    try {
      await once(child.stdout as NodeJS.ReadableStream, "data");
      for (const socket of sockets) socket.close(); // the service has its own
      const answers = await Promise.all(urls.map(async (url) => (await fetch(url)).text()));
      assert.deepEqual(answers, ["first", "second"]);
    } finally {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }));
