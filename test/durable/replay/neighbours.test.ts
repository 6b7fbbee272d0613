// Live programs beside what dead ones have left, as they are in practice: deployed
// anew, started together, ended together, in containers, with odd trees.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { writeJournal } from "../../support/journal.ts";
import { urlOf } from "../../support/package-under-test.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { isAlive } from "../../support/processes.ts";
import { linesOf, printed, run, until } from "../../support/run.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";
const NO_GUARD = { ATEXIT_GUARD: "off" };
const DEAD = 'process.kill(process.pid, "SIGKILL");';
const STAYS = 'process.stdout.write("up\\n"); setInterval(() => {}, 1_000);';

/** Leaves a program's recipes, with its guard dead. */
const leave = (place: Place, source: string) => place.run(`${source} ${DEAD}`, { env: NO_GUARD });

describe("after a deployment", () => {
  const SCRIPT = "#!/bin/sh\necho stopped >>$WORK/trace\n";
  const RESTARTED = `
    import { existsSync } from "node:fs";
    import { exec } from "atexit/durable";
    exec(process.env.WORK + "/stop.sh", [], { env: { WORK: process.env.WORK } });
    console.log(existsSync(process.env.WORK + "/trace"));
    process.exit();`;

  test("a command whose program was replaced is over before it is registered again", () =>
    inPlace(async (place) => {
      const script = join(place.work, "stop.sh");
      writeFileSync(script, SCRIPT, { mode: 0o755 });
      await leave(
        place,
        'import { exec } from "atexit/durable"; exec(process.env.WORK + "/stop.sh", [], { env: { WORK: process.env.WORK } });',
      );
      writeFileSync(`${script}.new`, SCRIPT, { mode: 0o755 });
      renameSync(`${script}.new`, script);
      const { stdout, stderr } = await place.run(RESTARTED, { env: NO_GUARD });
      assert.equal(stdout, "true\n", stderr);
    }));

  test("a function whose module was replaced is, too", () =>
    inPlace(async (place) => {
      const module = join(place.work, "stop.mjs");
      const text =
        'import { appendFileSync } from "node:fs"; export const stop = () => appendFileSync(new URL("trace", import.meta.url), "");';
      writeFileSync(module, text);
      await leave(place, 'import { call } from "atexit/durable"; call(process.env.WORK + "/stop.mjs", "stop");');
      writeFileSync(`${module}.new`, text);
      renameSync(`${module}.new`, module);
      const source = RESTARTED.replace("exec }", "call }").replace(
        /exec\(.*\);/,
        'call(process.env.WORK + "/stop.mjs", "stop");',
      );
      const { stdout, stderr } = await place.run(source, { env: { ...NO_GUARD, WORK: place.work } });
      assert.equal(stdout, "true\n", stderr);
    }));
});

test("a claim is waited for however long its journal is", () =>
  inPlace(async (place) => {
    await leave(
      place,
      `import { exec, remove } from "atexit/durable";
       for (let n = 0; n < 6_000; n += 1) remove(process.env.WORK + "/" + "x".repeat(150) + n);
       exec("sh", ["-c", "touch $WORK/begun; sleep 1; echo over >>$WORK/trace"], { env: { WORK: process.env.WORK } });`,
    );
    assert.ok(readFileSync(join(place.journals, place.left()[0] ?? "")).length > 1024 * 1024);
    const source = `
      import { existsSync } from "node:fs";
      import { exec, recover } from "atexit/durable";
      import { setTimeout as sleep } from "node:timers/promises";
      const { WORK } = process.env;
      void recover();
      while (!existsSync(WORK + "/begun")) await sleep(5);
      const { execPath } = process;
      const { spawnSync } = await import("node:child_process");
      const next = \`import { exec } from ${JSON.stringify(urlOf("atexit/durable"))};
        import { existsSync } from "node:fs";
        exec("sh", ["-c", "touch $WORK/begun; sleep 1; echo over >>$WORK/trace"], { env: { WORK: process.env.WORK } });
        console.log(existsSync(process.env.WORK + "/trace")); process.kill(process.pid, "SIGKILL");\`;
      const { spawn } = await import("node:child_process");
      const child = spawn(execPath, ["--input-type=module", "-e", next], { stdio: ["ignore", "inherit", "inherit"] });
      await new Promise((resolve) => child.once("exit", resolve));
      process.exit();`;
    const { stdout, stderr } = await place.run(source, { env: NO_GUARD });
    assert.equal(stdout, "true\n", stderr);
  }));

test("two paths to one file are one, where a link or a directory came after the first was registered", () =>
  inPlace(async (place) => {
    mkdirSync(join(place.work, "run"));
    symlinkSync("run", join(place.work, "varrun"));
    await leave(
      place,
      `import fs from "node:fs"; import { remove } from "atexit/durable";
       const { WORK } = process.env;
       remove(WORK + "/run/app/app.pid");
       fs.mkdirSync(WORK + "/run/app"); fs.writeFileSync(WORK + "/run/app/app.pid", "");`,
    );
    const live = `
      import fs from "node:fs"; import { remove } from "atexit/durable";
      const file = process.env.WORK + "/varrun/app/app.pid";
      remove(file);
      fs.writeFileSync(file, String(process.pid));
      ${STAYS}`;
    await place.run(live, {
      async act(child) {
        await printed(child, "up\n");
        await place.recover();
        assert.equal(readFileSync(join(place.work, "run/app/app.pid"), "utf8"), String(child.pid));
        child.kill("SIGTERM");
      },
    });
    await place.quiet();
    assert.deepEqual(readdirSync(join(place.work, "run/app")), []);
  }));

test("a process that a live program has registered is spared in a dead one's tree", () =>
  inPlace(async (place) => {
    const tree = run("sh", ["-c", `echo $$ >${place.work}/root; sleep 60 & echo $! >${place.work}/worker; wait`]);
    await until(() => linesOf(join(place.work, "worker")).length === 1);
    const pidIn = (name: string) => Number(linesOf(join(place.work, name))[0]);
    const register = (name: string) => `import { kill } from "atexit/durable"; kill(${pidIn(name)}, { grace: 0 });`;
    try {
      await place.run(`${register("worker")} ${STAYS}`, {
        async act(child) {
          await printed(child, "up\n");
          await leave(place, register("root"));
          const [{ why = "" } = {}] = await place.recover();
          assert.match(why, new RegExp(`${pidIn("worker")} is what a process that is alive has registered, too`));
          assert.ok(isAlive(pidIn("worker")));
          child.kill("SIGTERM");
        },
      });
      await tree;
      await until(() => !isAlive(pidIn("worker"))); // its own program ends it
    } finally {
      for (const name of ["root", "worker"]) await run("kill", ["-9", String(pidIn(name))]);
    }
  }));

test("of several that share a file and end together, one removes it", () =>
  inPlace(async (place) => {
    const source = `
      import fs from "node:fs"; import { remove } from "atexit/durable";
      fs.appendFileSync(process.env.WORK + "/shared", "");
      remove(process.env.WORK + "/shared");
      ${STAYS}`;
    for (let times = 0; times < 5; times += 1) {
      const up: (() => void)[] = [];
      await Promise.all(
        [1, 2, 3].map(() =>
          place.run(source, {
            async act(child) {
              await printed(child, "up\n");
              await new Promise<void>((resolve) => {
                up.push(resolve);
                if (up.length === 3) for (const goOn of up) goOn();
              });
              child.kill("SIGINT");
            },
          }),
        ),
      );
      assert.deepEqual(readdirSync(place.work), []);
    }
  }));

test("a next start knows a dead owner whose pid somebody else has by now", () =>
  inPlace(async (place) => {
    writeFileSync(join(place.work, "left"), "");
    await leave(place, 'import { remove } from "atexit/durable"; remove(process.env.WORK + "/left");');
    const [name = ""] = place.left();
    const text = readFileSync(join(place.journals, name), "utf8");
    rmSync(join(place.journals, name));
    // As a container has that was started again: this very test's pid.
    const [, dead = ""] = /^[^-]+-[^-]+-[^-]+-(\d+)-/.exec(name) ?? [];
    writeJournal(
      join(place.journals, name.replace(`-${dead}-`, `-${process.pid}-`)),
      text.replace(`"pid":${dead},`, `"pid":${process.pid},`),
    );
    const other = `import { remove } from "atexit/durable"; remove(process.env.WORK + "/other"); ${STAYS}`;
    await place.run(other, {
      async act(child) {
        await printed(child, "up\n");
        await until(() => !existsSync(join(place.work, "left")));
        child.kill("SIGTERM");
      },
    });
  }));

describe("a tree is removed beside a live program, though in it", () => {
  const NEIGHBOUR = `import { tempDir } from "atexit/resources"; tempDir({ dir: process.env.WORK }); ${STAYS}`;
  const odd: Record<string, string> = {
    "a directory lets nobody in": 'fs.mkdirSync("closed", { mode: 0 });',
    "directories lie deeper than a path is long":
      'for (let n = 0; n < 60; n += 1) { fs.mkdirSync("d".repeat(100)); process.chdir("d".repeat(100)); }',
  };
  for (const [what, make] of Object.entries(odd)) {
    test(what, () =>
      inPlace(async (place) => {
        await place.run(NEIGHBOUR, {
          async act(child) {
            await printed(child, "up\n");
            await leave(
              place,
              `import fs from "node:fs"; import { remove } from "atexit/durable";
               fs.mkdirSync(process.env.WORK + "/tree"); remove(process.env.WORK + "/tree");
               process.chdir(process.env.WORK + "/tree"); ${make}`,
            );
            await place.recover();
            assert.ok(!existsSync(join(place.work, "tree")), JSON.stringify(place.log()));
            child.kill("SIGTERM");
          },
        });
      }),
    );
  }
});

test("journals that are removed with others' leftovers are written anew", () =>
  inPlace(async (place) => {
    await leave(place, 'import { exec } from "atexit/durable"; exec("true", ["left"]);');
    const source = `
      import fs from "node:fs";
      import { remove } from "atexit/durable";
      remove(process.env.WORK + "/first");
      fs.rmSync(process.env.ATEXIT_DIR, { recursive: true });
      remove(process.env.WORK + "/second");
      for (const name of ["first", "second"]) fs.writeFileSync(process.env.WORK + "/" + name, "");
      setTimeout(() => ${DEAD.slice(0, -1)}, 100);`;
    const { stderr } = await place.run(source, { env: NO_GUARD });
    assert.match(stderr, /somebody has removed the journal .* it is written anew/);
    await place.recover();
    assert.deepEqual(readdirSync(place.work), [], stderr);
  }));

test("who has dropped root's rights for a while only keeps no journal, and says so", { skip: notRoot }, () =>
  inPlace(async (place) => {
    const source = `
      import fs from "node:fs";
      import { tempDir } from "atexit/resources";
      process.seteuid(65_534);
      const { path } = tempDir();
      process.on("exit", () => console.log(fs.existsSync(path)));`;
    const { stdout, stderr } = await place.run(source);
    assert.equal(stdout, "false\n", stderr);
    assert.match(stderr, /can be uid 0 again: drop that first/);
    assert.deepEqual(place.left(), []);
  }),
);

test("a directory that is another one for each process is refused", () =>
  inPlace(async (place) => {
    const source = `import { remove } from "atexit/durable";
      try { remove("x"); } catch (error) { console.log(error.code, /another one for each process/.test(error.message)); }`;
    const { stdout } = await place.run(source, { env: { ATEXIT_DIR: "/proc/self/cwd/journals" } });
    assert.equal(stdout, "ERR_ATEXIT_DIRECTORY true\n");
  }));
