// What cannot be looked at, since no descriptor is left, is not taken for gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runProgram } from "../support/program.ts";

const source = (name: string) => JSON.stringify(new URL(`../../src/platform/${name}.js`, import.meta.url).href);

/** Opens files until there are no more descriptors. */
const EXHAUST = `
  const opened = [];
  try {
    for (;;) opened.push(fs.openSync("/dev/null", "r"));
  } catch ({ code }) {
    if (code !== "EMFILE") throw code;
  }`;

const skip = process.platform !== "linux" && "reads /proc";
const fewDescriptors = async (program: string) => {
  const { stdout, stderr, code } = await runProgram(`import fs from "node:fs";\n${program}`);
  assert.equal(code, 0, stderr);
  return stdout;
};

test("a thread is not taken for dead", { skip }, async () => {
  const stdout = await fewDescriptors(`
    import { isThreadAlive, startOf } from ${source("proc")};
    const thread = { tid: process.pid, start: startOf("self") };
    const gone = { tid: 2 ** 30, start: "1" };
    console.log(isThreadAlive(process.pid, thread), isThreadAlive(process.pid, gone));
    ${EXHAUST}
    const ofThis = isThreadAlive(process.pid, thread);
    const ofOther = isThreadAlive(2 ** 30, gone);
    for (const fd of opened) fs.closeSync(fd);
    console.log(ofThis, ofOther);`);
  assert.equal(stdout, "true false\nundefined undefined\n");
});

test("a socket is not taken for one that nobody is bound to", { skip }, async () => {
  const stdout = await fewDescriptors(`
    import net from "node:net";
    import os from "node:os";
    import { boundTo } from ${source("bound-sockets")};
    const directory = fs.mkdtempSync(os.tmpdir() + "/socket-");
    const path = fs.realpathSync(directory) + "/x.sock";
    const server = net.createServer().listen(path, () => {
      const stats = fs.lstatSync(path);
      console.log(boundTo(stats, path));
      ${EXHAUST}
      let said;
      try {
        said = boundTo(stats, path);
      } catch ({ code }) {
        said = code;
      }
      for (const fd of opened) fs.closeSync(fd);
      console.log(said);
      server.close();
      fs.rmSync(directory, { recursive: true });
    });`);
  assert.equal(stdout, "this process\nEMFILE\n");
});
