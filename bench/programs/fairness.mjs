// Eight processes want one lock for three seconds, each again as soon as it has let it
// go. Prints the least share of them, in percent of an equal one; the longest wait, in
// milliseconds; or how long a turn takes, in milliseconds.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { lockFile } from "atexit/resources";

const PROCESSES = 8;
const FOR = 3_000;
const peers = createRequire(process.env.PEERS);
const path = `${process.env.ATEXIT_DIR}/../app.lock`;
const [how = "atexit", what = "share", role = "all"] = process.argv.slice(2);

const takes = {
  async atexit() {
    const lock = await lockFile(path, { wait: Number.POSITIVE_INFINITY });
    return () => lock.release();
  },
  lockfile: () =>
    new Promise((resolve, reject) => {
      const { lock, unlockSync } = peers("lockfile");
      lock(path, { wait: 60_000, pollPeriod: 1 }, (error) => (error ? reject(error) : resolve(() => unlockSync(path))));
    }),
};

if (role === "all") {
  const go = `${path}.go`;
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [process.argv[1], how, what, go], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  const told = children.map(async ({ stdout }) => {
    let text = "";
    for await (const chunk of stdout) text += chunk;
    return JSON.parse(text);
  });
  await Promise.all(children.map((child) => once(child.stdout, "readable"))); // they have started
  writeFileSync(go, "");
  const all = await Promise.all(told);
  const turns = all.map(({ turns }) => turns);
  const equal = turns.reduce((sum, n) => sum + n) / PROCESSES;
  const results = {
    share: () => (Math.min(...turns) / equal) * 100,
    wait: () => Math.max(...all.map(({ longest }) => longest)),
    turn: () => FOR / PROCESSES / equal,
  };
  console.log(results[what]());
} else {
  (await takes[how]())(); // loads what it needs
  process.stdout.write(" ");
  while (!existsSync(role)) await new Promise((resolve) => setTimeout(resolve, 1));
  const end = performance.now() + FOR;
  let turns = 0;
  let longest = 0;
  for (let asked = performance.now(); asked < end; asked = performance.now()) {
    const release = await takes[how]();
    turns += 1;
    longest = Math.max(longest, performance.now() - asked);
    await new Promise((resolve) => setImmediate(resolve));
    await release();
  }
  process.stdout.write(JSON.stringify({ turns, longest }));
}
