// A server of Next.js as it is deployed: `output: "standalone"`, away from where it
// was built, with cleanups that its instrumentation registers.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { inPlace } from "../support/place.ts";
import { printed, run, statusOf } from "../support/run.ts";
import { hosts, makeProject } from "./hosts.ts";

const FILES = {
  "package.json": `{ "private": true, "dependencies": { "atexit": "*" } }`,
  "next.config.mjs": `
    const root = ${JSON.stringify(hosts)};
    export default { output: "standalone", outputFileTracingRoot: root, turbopack: { root } };`,
  "pages/index.js": `export default () => "page";`,
  "instrumentation.js": `
    export async function register() {
      if (process.env.NEXT_RUNTIME === "nodejs") await import("./cleanups.mjs");
    }`,
  "cleanups.mjs": `
    import fs from "node:fs";
    const { WITH, WORK } = process.env;
    if (WITH !== undefined) {
      const { register } = await import("atexit");
      const { remove } = await import("atexit/durable");
      fs.writeFileSync(WORK + "/file", "");
      remove(WORK + "/file");
      register(() => console.log("first"));
      register(async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        console.log("second");
      });
    }
    console.log("registered");`,
};

describe("Next.js, standalone", () => {
  let server = "";

  before(async () => {
    const project = makeProject(hosts);
    mkdirSync(join(project, "pages"));
    for (const [name, source] of Object.entries(FILES)) writeFileSync(join(project, name), source);
    const next = join(hosts, "node_modules/next/dist/bin/next");
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
    const built = await run(process.execPath, [next, "build"], { cwd: project, env, limit: 300_000 });
    assert.equal(built.code, 0, built.stdout + built.stderr);
    const elsewhere = join(makeProject(), "deployed");
    renameSync(join(project, ".next/standalone"), elsewhere);
    server = join(elsewhere, basename(project), "server.js");
  });

  /** Starts the server, and sends it a signal when it has answered. */
  const endBy = (signal: NodeJS.Signals, isWith: boolean) =>
    inPlace(async ({ environment, work, quiet, log }) => {
      const PORT = String(await freePort());
      const env = { ...environment, PORT, HOSTNAME: "127.0.0.1", NODE_ENV: undefined, WITH: isWith ? "1" : undefined };
      const ended = await run(process.execPath, [server], {
        cwd: dirname(server),
        env,
        act: async (child) => {
          await printed(child, "registered\n");
          assert.equal((await fetch(`http://127.0.0.1:${PORT}/`)).status, 200);
          child.kill(signal);
        },
      });
      await quiet();
      assert.deepEqual(readdirSync(work), [], JSON.stringify(log()));
      return { status: statusOf(ended), stderr: ended.stderr, last: ended.stdout.replace(/^.*registered\n/s, "") };
    });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal}: cleanups run, and the status is its own`, async () => {
      const bare = await endBy(signal, false);
      assert.deepEqual(await endBy(signal, true), { ...bare, last: "second\nfirst\n" });
    });
  }

  test("SIGKILL: what is durable is carried out", async () => {
    assert.deepEqual(await endBy("SIGKILL", true), { status: "SIGKILL", stderr: "", last: "" });
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
