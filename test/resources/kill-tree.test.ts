// killTree(): any process with its descendants, now.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { describe, test } from "node:test";
import { killTree } from "../../src/resources/index.ts";
import { childrenOf, isAlive } from "../support/processes.ts";
import { printed } from "../support/run.ts";

/** Starts a shell with two descendants; `trap` says what they make of SIGTERM. */
async function tree(trap = "") {
  const inner = `${trap} sleep 300 & echo ready; wait; wait`;
  const root = spawn("sh", ["-c", `${trap} sh -c '${inner}' & wait; wait`], { stdio: ["ignore", "pipe", "ignore"] });
  await printed(root, "ready\n");
  const pid = root.pid as number;
  const all = [pid];
  for (const one of all) all.push(...childrenOf(one));
  assert.equal(all.length, 3);
  return { root, pid, all };
}

describe("killTree()", () => {
  test("ends a process and its descendants, by its pid and as a child", async () => {
    for (const by of ["pid", "root"] as const) {
      const found = await tree();
      const exited = once(found.root, "exit");
      await killTree(found[by]);
      assert.deepEqual(found.all.map(isAlive), [false, false, false]);
      assert.deepEqual(await exited, [null, "SIGTERM"]);
    }
  });

  test("kills those that do not listen, after grace", async () => {
    const { pid, all } = await tree('trap "" TERM;');
    await killTree(pid, { grace: 100 });
    assert.deepEqual(all.map(isAlive), [false, false, false]);
  });

  test("sends the signal that it is given", async () => {
    const { root, pid } = await tree();
    const exited = once(root, "exit");
    await killTree(pid, { signal: "SIGHUP" });
    assert.deepEqual(await exited, [null, "SIGHUP"]);
  });

  test("what is no longer there is no error; what cannot be meant is one", async () => {
    const { root, pid } = await tree();
    const exited = once(root, "exit");
    await killTree(pid);
    await exited;
    await killTree(pid);
    await killTree(root);
    for (const given of [process.pid, 1, -1, 0, 1.5, "12", undefined, process.ppid]) {
      await assert.rejects(killTree(given as number), { code: "ERR_ATEXIT_PROCESS" });
    }
    await assert.rejects(killTree(2 ** 30, { signal: "SIGNONE" as "SIGTERM" }), { code: "ERR_ATEXIT_SIGNAL" });
  });

  test(
    "those of another user are left, and told",
    { skip: process.getuid?.() !== 0 && "needs root, to be somebody else" },
    async () => {
      const root = spawn("sh", ["-c", "sleep 300 & echo ready; wait"], { stdio: ["ignore", "pipe", "ignore"] });
      await printed(root, "ready\n");
      const pid = root.pid as number;
      const [inner] = childrenOf(pid);
      const module = new URL(`../../src/resources/index${extname(import.meta.url)}`, import.meta.url);
      const source = `
        process.setgroups([]); process.setgid(65534); process.setuid(65534);
        const { killTree } = await import(${JSON.stringify(module.href)});
        try { await killTree(${pid}, { grace: 100 }); } catch ({ code, left }) { console.log(code, left.join()); }`;
      const other = spawn(process.execPath, ["--input-type=module", "-e", source], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      other.stdout.on("data", (chunk) => (text += chunk));
      await once(other, "close");
      try {
        assert.equal(text, `ERR_ATEXIT_STILL_THERE ${[pid, inner].join()}\n`);
        assert.deepEqual([pid, inner as number].map(isAlive), [true, true]);
      } finally {
        await killTree(pid);
      }
    },
  );
});
