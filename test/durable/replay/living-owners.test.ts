// The living come before the dead: what a live process has registered, made or
// holds is not touched by a recipe that a dead one has left.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../../support/place.ts";
import { atexit } from "../../support/place.ts";
import { isLong } from "../../support/long.ts";
import { urlOf } from "../../support/package-under-test.ts";
import { endIfThere } from "../../support/processes.ts";
import { linesOf, printed, run, until } from "../../support/run.ts";
import { program, SIGKILL } from "../recipes/program.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";
const NO_GUARD = { ATEXIT_GUARD: "off" };

/** A server: it registers its socket's removal, then makes it, as the guide has it. */
const SERVER = `
  import net from "node:net";
  import fs from "node:fs";
  import { remove } from "atexit/durable";
  const socket = process.env.WORK + "/app.sock";
  remove(socket);
  await new Promise((resolve, reject) => net.createServer().on("error", reject).listen(socket, resolve));
  process.stdout.write("listening\\n");
`;

/** Runs a server until it listens, and its journal says which socket that is, and kills it. */
async function killedServer(place: Place, env: Record<string, string> = {}): Promise<void> {
  await place.run(`${SERVER} setInterval(() => {}, 1_000);`, {
    env,
    async act(child) {
      await printed(child, "listening\n");
      await until(() =>
        place.left().some((name) => readFileSync(join(place.journals, name), "utf8").includes('"is":[')),
      );
      child.kill("SIGKILL");
    },
  });
}

/** Runs a server until nobody has anything left to do, and says whether its socket is still there. */
async function nextServer(place: Place, env: Record<string, string> = {}): Promise<void> {
  const { stderr, code } = await place.run(`${SERVER} setInterval(() => {}, 1_000);`, {
    env,
    async act(child) {
      await printed(child, "listening\n");
      // The replay of the dead one, and the look of this one's guard, are over when only the guard is left.
      await until(() => place.guards().length === (env === NO_GUARD ? 0 : 1));
      await until(() => place.left().length === 1);
      assert.ok(existsSync(join(place.work, "app.sock")), "the new server's socket is there");
      child.kill("SIGTERM");
    },
  });
  assert.equal(code, null, stderr);
  await place.quiet();
  assert.deepEqual(
    readdirSync(place.work),
    [],
    `its own removal is carried out: ${stderr}${JSON.stringify(place.log())}`,
  );
}

describe("a server that is killed and started again", () => {
  test("at once, while its guard is at work", () =>
    inPlace(async (place) => {
      for (let times = 0; times < (isLong ? 10 : 3); times += 1) {
        await killedServer(place);
        await nextServer(place);
      }
    }));

  test("when its guard has died, too: the stale socket is gone before the next one listens", () =>
    inPlace(async (place) => {
      await killedServer(place, NO_GUARD);
      assert.ok(existsSync(join(place.work, "app.sock")));
      await nextServer(place);
      await killedServer(place, NO_GUARD);
      await nextServer(place, NO_GUARD);
    }));

  test("under the command, with a pid file of its own", () =>
    inPlace(async (place) => {
      const file = join(place.work, "app.pid");
      const script = 'echo $$ >"$1"; echo up; exec sleep 30';
      const run = (guard: string, act: Parameters<typeof atexit>[2]) =>
        atexit(
          { ...place, environment: { ...place.environment, ATEXIT_GUARD: guard } },
          ["run", "--rm", file, "--", "sh", "-c", script, "sh", file],
          act,
        );
      await run("off", {
        async act(child) {
          await printed(child, "up\n");
          child.kill("SIGKILL");
        },
      });
      const orphan = Number(linesOf(file)[0]);
      try {
        await run("on", {
          async act(child) {
            await printed(child, "up\n");
            await until(() => place.log().length > 0);
            assert.ok(existsSync(file), JSON.stringify(place.log()));
            child.kill("SIGTERM");
          },
        });
      } finally {
        endIfThere(orphan); // unless the recovery of its recipes has ended it
      }
    }));
});

describe("what a live process has registered as well", () => {
  const DEAD = 'process.kill(process.pid, "SIGKILL");';

  test("a path is left to it, and that is told", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "shared"), "");
      const register = 'import { remove } from "atexit/durable"; remove(process.env.WORK + "/shared");';
      await place.run(`${register} process.stdout.write("up\\n"); setInterval(() => {}, 1_000);`, {
        async act(child) {
          await printed(child, "up\n");
          await place.run(`${register} ${DEAD}`);
          await until(() => place.log().length > 0);
          assert.ok(existsSync(join(place.work, "shared")));
          assert.match(
            place.log()[0]?.why ?? "",
            new RegExp(`process ${child.pid}, which is alive, has registered the same`),
          );
          child.kill("SIGKILL");
        },
      });
      await place.quiet();
      assert.deepEqual(readdirSync(place.work), [], "and it is carried out when that one has died");
    }));

  test("a path is left to it by a process that ends, too: a second instance takes no socket away", () =>
    inPlace(async (place) => {
      await place.run(`${SERVER} setInterval(() => {}, 1_000);`, {
        async act(child) {
          await printed(child, "listening\n");
          for (const second of [SERVER, SERVER.replace('"error", reject', '"error", () => process.exit(0)')]) {
            const { stderr } = await place.run(second);
            assert.match(
              stderr,
              new RegExp(`"remove .*app\\.sock" is left alone: process ${child.pid}, which is alive, has registered`),
            );
            assert.ok(existsSync(join(place.work, "app.sock")), "it is there");
          }
          child.kill("SIGTERM");
        },
      });
      assert.deepEqual(readdirSync(place.work), [], "the first one takes it away");
    }));

  test("a command is left to it", () =>
    inPlace(async (place) => {
      const register =
        'import { exec } from "atexit/durable"; exec("/bin/sh", ["-c", "echo ran >>" + process.env.WORK + "/trace"]);';
      await place.run(`${register} process.stdout.write("up\\n"); setInterval(() => {}, 1_000);`, {
        async act(child) {
          await printed(child, "up\n");
          await place.run(`${register} ${DEAD}`);
          await until(() => place.log().length > 0);
          assert.deepEqual(linesOf(join(place.work, "trace")), []);
          child.kill("SIGKILL");
        },
      });
      await place.quiet();
      assert.deepEqual(linesOf(join(place.work, "trace")), ["ran"]);
    }));

  test("a command that is about another thing, by its variables, is not left to it", () =>
    inPlace(async (place) => {
      const register =
        'import { exec } from "atexit/durable"; exec("/bin/sh", ["-c", "echo $COMPOSE_PROJECT_NAME >>" + process.env.WORK + "/trace"]);';
      await place.run(`${register} process.stdout.write("up\\n"); setInterval(() => {}, 1_000);`, {
        env: { COMPOSE_PROJECT_NAME: "live" },
        async act(child) {
          await printed(child, "up\n");
          await place.run(`${register} ${DEAD}`, { env: { COMPOSE_PROJECT_NAME: "dead" } });
          await until(() => existsSync(join(place.work, "trace")) && linesOf(join(place.work, "trace")).length > 0);
          assert.deepEqual(linesOf(join(place.work, "trace")), ["dead"]);
          child.kill("SIGKILL");
        },
      });
      await place.quiet();
      assert.deepEqual(linesOf(join(place.work, "trace")), ["dead", "live"]);
    }));

  test("a socket that a program without this package is bound to stays", () =>
    inPlace(async (place) => {
      const server = createServer().listen(join(place.work, "app.sock"));
      try {
        await once(server, "listening");
        await place.run(`import { remove } from "atexit/durable"; remove(process.env.WORK + "/app.sock"); ${DEAD}`);
        await until(() => place.log().length > 0);
        assert.ok(existsSync(join(place.work, "app.sock")));
        assert.match(place.log()[0]?.why ?? "", /a program that is alive is bound to it/);
      } finally {
        server.close();
      }
    }));

  for (const [how, listen] of [
    ["through a link", 'symlinkSync(work, work + ".link"); bound = work + ".link/app.sock"'],
    ["by a relative path", 'process.chdir(work); bound = "app.sock"'],
  ] as const) {
    const holder = `
      import { rmSync, symlinkSync } from "node:fs";
      import net from "node:net";
      const work = process.env.WORK;
      let bound;
      ${listen};
      net.createServer().listen(bound, () => process.stdout.write("up\\n"));
      process.on("SIGTERM", () => {
        rmSync(work + ".link", { force: true });
        process.exit();
      });`;

    test(`a socket that a program is bound to ${how} stays when a dead one's recipes are carried out`, () =>
      inPlace(async (place) => {
        await place.run(holder, {
          async act(child) {
            await printed(child, "up\n");
            await place.run(`import { remove } from "atexit/durable"; remove(process.env.WORK + "/app.sock"); ${DEAD}`);
            await until(() => place.log().length > 0);
            assert.ok(existsSync(join(place.work, "app.sock")));
            assert.match(place.log()[0]?.why ?? "", /a program that is alive is bound to it/);
            child.kill("SIGTERM");
          },
        });
      }));
  }

  test("a socket that another one is bound to stays when this one ends, however soon it was started after it", () =>
    inPlace(async (place) => {
      const source = `
        import { once } from "node:events";
        import fs from "node:fs";
        import { spawn } from "node:child_process";
        import { remove } from "atexit/durable";
        const socket = process.env.WORK + "/app.sock";
        const other = spawn(process.execPath, ["-e", 'require("net").createServer().listen(process.argv[1], () => console.log("up"))', socket]);
        await once(other.stdout, "data");
        remove(socket);
        process.on("exit", () => other.kill());
        process.exitCode = 0;
        other.stdout.destroy();
        other.unref();
        other.stderr.destroy();
        other.stdin.destroy();`;
      const { stderr, code } = await place.run(source);
      assert.ok(existsSync(join(place.work, "app.sock")), stderr);
      assert.match(stderr, /a program that is alive is bound to it/);
      assert.equal(code, 1, "a cleanup that could not be carried out has failed");
    }));

  test("a socket of one's own is removed, however it was bound", () =>
    inPlace(async (place) => {
      const source = `
        import net from "node:net";
        import { once } from "node:events";
        import { remove } from "atexit/durable";
        process.chdir(process.env.WORK);
        const servers = ["before", "after"].map((name) => net.createServer().listen(name));
        await once(servers[1], "listening");
        for (const name of ["before", "after"]) remove(name);
        process.exit();`;
      const { stderr } = await place.run(source);
      assert.equal(stderr, "");
      assert.deepEqual(readdirSync(place.work), []);
    }));

  test("a directory in which it would run a command stays", () =>
    inPlace(async (place) => {
      const tree = join(place.work, "tree");
      mkdirSync(join(tree, "below"), { recursive: true });
      const live = `import { exec } from "atexit/durable";
        exec("true", [], { cwd: process.env.WORK + "/tree/below" });
        process.stdout.write("up\\n"); setInterval(() => {}, 1_000);`;
      await place.run(live, {
        async act(child) {
          await printed(child, "up\n");
          await place.run(`import { remove } from "atexit/durable"; remove(process.env.WORK + "/tree"); ${DEAD}`);
          await until(() => place.log().length > 0);
          assert.ok(existsSync(join(tree, "below")));
          assert.match(place.log()[0]?.why ?? "", /which is alive, has something in it/);
          child.kill("SIGTERM");
        },
      });
    }));

  test("a worker thread that ends takes nothing away that the main thread has registered, too", () =>
    inPlace(async (place) => {
      writeFileSync(join(place.work, "shared"), "");
      const source = `
        import { once } from "node:events";
        import fs from "node:fs";
        import { Worker } from "node:worker_threads";
        import { remove } from "atexit/durable";
        remove(process.env.WORK + "/shared");
        const worker = new Worker(\`import(${JSON.stringify(urlOf("atexit/durable"))}).then(({ remove }) => remove(process.env.WORK + "/shared"))\`, { eval: true });
        await once(worker, "exit");
        console.log(fs.existsSync(process.env.WORK + "/shared"));`;
      const { stdout } = await place.run(source);
      assert.equal(stdout, "true\n");
      await place.quiet();
      assert.deepEqual(readdirSync(place.work), []);
    }));

  test("one that takes long keeps nobody waiting for another one that was claimed with it", () =>
    inPlace(async (place) => {
      const register = (body: string) => `import { exec } from "atexit/durable"; const at = process.env.WORK; ${body}`;
      const slow = 'exec("sleep", ["8"]);';
      const quick = 'exec("touch", [at + "/quick"]);';
      // The names of journals differ in their pids: which is carried out first cannot be chosen.
      for (const body of [slow, quick, slow]) await place.run(register(`${body} ${DEAD}`), { env: NO_GUARD });
      const source = register(`
        import { existsSync } from "node:fs";
        import { recover } from "atexit/durable";
        const recovery = recover();
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        const startedAt = performance.now();
        ${quick}
        console.log(existsSync(at + "/quick"), performance.now() - startedAt < 5_000);
        process.exit();`);
      const { stdout, stderr } = await place.run(source, { env: NO_GUARD });
      assert.equal(stdout, "true true\n", stderr);
      await place.quiet();
    }));

  test("a command that a dead one has left is over before the registration returns", () =>
    inPlace(async (place) => {
      const register = `import { exec } from "atexit/durable"; import fs from "node:fs";
        exec("/bin/sh", ["-c", "sleep 0.3; echo over >>" + process.env.WORK + "/trace"]);`;
      await place.run(`${register} ${DEAD}`, { env: NO_GUARD });
      const { stdout } = await place.run(
        `${register} process.stdout.write(fs.readFileSync(process.env.WORK + "/trace", "utf8"));`,
      );
      assert.equal(stdout, "over\n");
    }));

  test("a directory that it has something in stays", () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "outer"));
      const inner = `import { tempDir } from "atexit/resources";
        const { path } = tempDir({ dir: process.env.WORK + "/outer" }); process.stdout.write("up\\n"); setInterval(() => {}, 1_000);`;
      await place.run(inner, {
        async act(child) {
          await printed(child, "up\n");
          await place.run(`import { remove } from "atexit/durable"; remove(process.env.WORK + "/outer"); ${DEAD}`);
          await until(() => place.log().length > 0);
          assert.equal(readdirSync(join(place.work, "outer")).length, 1);
          assert.match(place.log()[0]?.why ?? "", /which is alive, has .* in it/);
          child.kill("SIGKILL");
        },
      });
    }));

  const OUTER = `fs.mkdirSync(at("outer"), { recursive: true }); remove(at("outer"));`;
  const INNER = `import { tempDir } from ${JSON.stringify(urlOf("atexit/resources"))};
    const { path } = tempDir({ dir: process.env.WORK + "/outer" });`;

  test("a directory that it has something in stays, also where it sees other mounts", { skip: notRoot }, () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "outer"));
      const file = join(place.work, "..", "inner.mjs");
      writeFileSync(file, `${INNER} process.stdout.write("up\\n"); setInterval(() => {}, 1_000);`);
      const script = `mount -t tmpfs none /mnt && exec "${process.execPath}" "${file}"`;
      await run("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], {
        env: place.environment,
        async act(child) {
          await printed(child, "up\n");
          await place.run(program(OUTER, SIGKILL));
          await until(() => place.log().length > 0);
          assert.equal(readdirSync(join(place.work, "outer")).length, 1);
          assert.match(place.log()[0]?.why ?? "", /which is alive, has something in it/);
          child.kill("SIGTERM");
        },
      });
    }),
  );

  // The command is carried out first, and gives the other one time to come.
  const SLOW = `${OUTER} exec("/bin/sh", ["-c", 'echo >"$OUT"; sleep 0.5'], { env: { OUT: at("begun") } });`;
  const REGISTERED = `${INNER} fs.writeFileSync(process.env.WORK + "/path", path);`;

  test("nothing is registered in a directory that is just being removed", () =>
    inPlace(async (place) => {
      await place.run(program(SLOW, SIGKILL));
      await until(() => existsSync(join(place.work, "begun")));
      const { stderr } = await place.run(`import fs from "node:fs"; ${REGISTERED}`);
      assert.match(stderr, /ENOENT/);
      assert.deepEqual(readdirSync(place.work), ["begun"]);
    }));

  test("what this very process registers while it recovers stays", () =>
    inPlace(async (place) => {
      await place.run(program(SLOW, SIGKILL), { env: NO_GUARD });
      const source = `import fs from "node:fs"; import { recover } from ${JSON.stringify(urlOf("atexit/durable"))};
        const recovered = recover();
        while (!fs.existsSync(process.env.WORK + "/begun")) await new Promise(setImmediate);
        const { tempDir } = await import(${JSON.stringify(urlOf("atexit/resources"))});
        const { path } = tempDir({ dir: process.env.WORK + "/outer" });
        const [, { outcome, why }] = await recovered;
        console.log(fs.existsSync(path), outcome, why);`;
      const { stdout, stderr } = await place.run(source);
      assert.match(stdout, /^true left alone .*process \d+, which is alive, has .* in it/, stderr);
    }));
});
