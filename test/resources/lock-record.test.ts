// What stands in a lock file: who may read it, who may have written it, and what
// is made of it.

import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { lockFile, lockFileSync } from "../../src/resources/index.ts";
import { atexit } from "../support/place.ts";
import { printed } from "../support/run.ts";
import { here, HOLD, recordIn, recordOfKilled, STAY, tries, TRY, unguarded, whileHeld } from "./lock-programs.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

test(
  "it names the program and not its arguments, and all users may read it",
  here(async (place, lock) => {
    for (const [args, program] of [
      [["program.mjs", "--password=hunter2"], /^\S+ \S+\/program\.mjs$/],
      [["-e", 'import("./program.mjs")', "/hunter2"], /^\S+$/],
      [["--input-type=module", "--eval=import('./program.mjs')", "/hunter2"], /^\S+$/],
    ] as const) {
      await place.run(
        `import { spawnSync } from "node:child_process";
         import { writeFileSync } from "node:fs";
         const args = ${JSON.stringify(args)};
         process.umask(0o077);
         writeFileSync("program.mjs", ${JSON.stringify(`${HOLD} process.kill(process.pid, "SIGKILL");`)});
         spawnSync(process.execPath, args);`.replace(
          "import {",
          'process.chdir(import.meta.dirname ?? new URL(".", import.meta.url).pathname);\nimport {',
        ),
        { env: unguarded(place) },
      );
      assert.match(recordIn(lock)["program"] as string, program);
      assert.doesNotMatch(readFileSync(lock, "utf8"), /hunter2/);
      assert.equal(statSync(lock).mode & 0o777, 0o644);
      await place.recover();
    }
  }),
);

test(
  "control characters of another user's lock file reach no message",
  here(async (place, lock) => {
    await whileHeld(place, STAY, async () => {
      const evil = "x\u001b]52;c;cm0gLXJmIH4=\u0007\u001b[2J\u009b2J\u202e\u2028y";
      writeFileSync(lock, `${JSON.stringify({ ...recordIn(lock), program: evil, host: evil })}\n`);
      for (const error of await tries(place)) {
        assert.ok(error !== "taken");
        for (const text of [error.message, error.state, error.program, error.host]) {
          assert.match(text as string, /x.*\]52.*y/);
          assert.doesNotMatch(text as string, /[\p{Cc}\u202e\u2028]/u);
        }
      }
      const { stderr, code } = await atexit(place, ["run", "--lock", lock, "--", "true"]);
      assert.equal(code, 75);
      assert.doesNotMatch(stderr.trimEnd(), /[\p{Cc}\u202e\u2028]/u);
    });
  }),
);

const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;

test(
  "whatever a living holder's record holds, the lock is held",
  here((place, lock) =>
    whileHeld(place, STAY, async (pid) => {
      const record = recordIn(lock);
      const owner = record["owner"] as object;
      for (const change of [
        ...[5, null, {}, [], "", "z".repeat(200_000), "\0", true].flatMap((value) =>
          ["program", "host", "data", "journals", "journalsAre", "atexit", "token", "owner"].map((name) => ({
            [name]: value,
          })),
        ),
        ...[
          { pid: -1 },
          { pid: "1" },
          { pid: 2 ** 40 },
          { start: 5 },
          { boot: null },
          { thread: { tid: "../../../../x", start: "1" } },
        ].map((change) => ({ owner: { ...owner, ...change } })),
      ]) {
        writeFileSync(lock, `${JSON.stringify({ ...record, ...change })}\n`);
        assert.throws(
          () => lockFileSync(lock),
          { code: "ERR_ATEXIT_LOCK_HELD", pid },
          JSON.stringify(change).slice(0, 200),
        );
      }
      for (const text of [
        "",
        "null\n",
        "[]\n",
        "5\n",
        "{\n",
        JSON.stringify(record).slice(0, -20),
        JSON.stringify(record),
        `${deep}\n`,
        "\0\n",
      ]) {
        writeFileSync(lock, text);
        await assert.rejects(lockFile(lock), { code: "ERR_ATEXIT_LOCK_HELD", pid }, text.slice(0, 200));
      }
      writeFileSync(lock, `{"atexit":1,"data":${deep},${JSON.stringify(record).slice(1)}\n`);
      assert.throws(() => lockFileSync(lock), { code: "ERR_ATEXIT_LOCK_HELD", pid });
    }),
  ),
);

test(
  "what is no record, without an owner file beside it, is nobody's that can be told: it stays",
  here(async (place, lock) => {
    const record = await recordOfKilled(place);
    rmSync(dirname(lock), { recursive: true });
    mkdirSync(dirname(lock));
    for (const text of [
      "",
      JSON.stringify(record),
      JSON.stringify(record).slice(0, 60),
      `${JSON.stringify({ ...record, owner: {} })}\n`,
      `${JSON.stringify({ ...record, token: "x" })}\n`,
    ]) {
      writeFileSync(lock, text);
      assert.throws(() => lockFileSync(lock), { code: "ERR_ATEXIT_LOCK_HELD", pid: undefined, life: "unknown" });
      assert.equal(readFileSync(lock, "utf8"), text);
    }
    await place.recover();
  }),
);

test(
  "data has a limit, which is refused at the call; what is shorter can be read",
  here(async (place, lock) => {
    const most = "z".repeat(256 * 1024 - 2);
    for (const data of [`${most}z`, { a: [most] }, "ü".repeat(200_000)]) {
      const refused = { code: "ERR_ATEXIT_OPTION", message: /at most 262144 bytes/ };
      assert.throws(() => lockFileSync(lock, { data }), refused);
      await assert.rejects(lockFile(lock, { data }), refused);
    }
    assert.equal(existsSync(lock), false);
    const held = lockFileSync(lock, { data: most });
    for (const error of await tries(place))
      assert.ok(error !== "taken" && error.data === most && error.pid === process.pid);
    held.release();
  }),
);

for (const [what, damage] of [
  [
    "longer than any",
    (lock: string) => writeFileSync(lock, `${JSON.stringify({ ...recordIn(lock), data: "z".repeat(1_000_000) })}\n`),
  ],
  ["torn", (lock: string) => writeFileSync(lock, readFileSync(lock, "utf8").slice(0, 40))],
  ["followed by a megabyte", (lock: string) => appendFileSync(lock, "z".repeat(1_000_000))],
] as const) {
  test(
    `the lock file of a killed holder is ${what}: the next one has it when the mess is gone`,
    here(async (place, lock) => {
      const source = `
        ${STAY}
        const { exec } = await import("atexit/durable");
        exec("sh", ["-c", 'sleep 0.5; echo cleaned >>"$1"', "sh", process.env.WORK + "/trace"]);
        console.log("ready");`;
      for (const take of ["await lockFile", "lockFileSync"]) {
        await place.run(source, {
          env: unguarded(place),
          async act(child) {
            await printed(child, "ready");
            damage(lock);
            child.kill("SIGKILL");
          },
        });
        const { stdout, stderr } = await place.run(`
          import { lockFile, lockFileSync } from "atexit/resources";
          import { existsSync } from "node:fs";
          ${take}(process.env.WORK + "/locks/app.lock");
          console.log(existsSync(process.env.WORK + "/trace"));`);
        assert.equal(stdout, "true\n", stderr);
        rmSync(join(place.work, "trace"));
        await place.quiet();
      }
    }),
  );
}

test(
  "journals that its file names count only in a directory of this user that nobody else can write into",
  { skip: notRoot },
  here(async (place, lock) => {
    const leave = `
      const { exec } = await import("atexit/durable");
      exec("touch", [process.env.WORK + "/ran"]);`;
    for (const open of [
      (journals: string) => chmodSync(journals, 0o755),
      (journals: string) => chownSync(journals, 65_534, 65_534),
    ]) {
      await recordOfKilled(place, leave);
      open(place.journals);
      const own = join(place.work, "own");
      mkdirSync(own, { recursive: true, mode: 0o700 });
      const { stdout, stderr } = await place.run(TRY, { env: { ...place.environment, ATEXIT_DIR: own } });
      assert.equal(stdout, "taken\ntaken\n", stderr);
      assert.match(
        stderr,
        /^atexit: \S+app\.lock is taken from process \d+ of user 0, which has died\. What it left behind cannot be seen from here.*\n$/,
      );
      assert.equal(existsSync(join(place.work, "ran")), false);
      chownSync(place.journals, 0, 0);
      chmodSync(place.journals, 0o700);
      await place.recover();
      assert.equal(existsSync(join(place.work, "ran")), true);
      rmSync(join(place.work, "ran"));
      assert.equal(existsSync(lock), false);
    }
  }),
);

test(
  "another boot is an earlier one where no other machine can write, and only there",
  { skip: notRoot },
  here(async (place, lock) => {
    const record = await recordOfKilled(place);
    const owner = { ...(record["owner"] as object), boot: "00000000-0000-4000-8000-000000000000" };
    const token = (record["token"] as string).replace(/^[0-9a-z]+/, "000000000000");
    await place.recover();
    const text = `${JSON.stringify({ ...record, token, owner })}\n{"locked":true}\n`;
    writeFileSync(lock, text);
    const { stdout, stderr } = await place.run(`
      import { execFileSync } from "node:child_process";
      import { writeFileSync } from "node:fs";
      import { lockFile } from "atexit/resources";
      const far = process.env.WORK + "/far";
      // ramfs is on no list of local file systems, as none of a network is.
      execFileSync("sh", ["-c", 'mkdir "$1"; mount -t ramfs none "$1"', "sh", far]);
      try {
        writeFileSync(far + "/app.lock", ${JSON.stringify(text)});
        await lockFile(far + "/app.lock").catch((error) => console.log(error.code, error.life));
      } finally {
        execFileSync("umount", [far]);
      }
      (await lockFile(process.env.WORK + "/locks/app.lock")).release();
      console.log("taken");`);
    assert.equal(stdout, "ERR_ATEXIT_LOCK_HELD unknown\ntaken\n", stderr);
  }),
);
