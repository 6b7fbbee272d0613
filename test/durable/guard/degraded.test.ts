// Where something that durable cleanups need is missing: the program goes on
// with what there is, and says once what there is not.

import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { runWithMounts } from "../../support/mounts.ts";
import { repository } from "../../support/package-under-test.ts";
import { writeJournal } from "../../support/journal.ts";
import { inPlace, type Place } from "../../support/place.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

const ONE_RECIPE = `
  import { remove } from "atexit/durable";
  import { mkdirSync } from "node:fs";
  remove(process.env.WORK + "/scratch");
  mkdirSync(process.env.WORK + "/scratch");
`;

function assertWarnedOnce(stderr: string): void {
  assert.match(stderr, /^atexit: no guard is running: .*ATEXIT_GUARD=off/);
  assert.equal(stderr.match(/no guard/g)?.length, 1, stderr);
}

test("no shell: one warning, and the recipes of exits that JavaScript sees", { skip: notRoot }, () =>
  inPlace(async (place) => {
    const twice = `${ONE_RECIPE}\nremove(process.env.WORK + "/other");\nsetTimeout(() => {}, 50);`;
    const { code, stderr } = await runWithMounts(place, "mount --bind /dev/null /bin/sh", twice);
    assertWarnedOnce(stderr);
    assert.equal(code, 0);
    assert.deepEqual(readdirSync(place.work), ["program.mjs"]);
    assert.deepEqual(place.left(), []);
  }),
);

test("Node's permission model: one warning, and the rest works", () =>
  inPlace(async (place) => {
    const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
    const nodeOptions = [flag, "--allow-fs-read=*", "--allow-fs-write=*", "--no-warnings"];
    const { code, stderr } = await place.run(ONE_RECIPE, { nodeOptions });
    assertWarnedOnce(stderr);
    assert.equal(code, 0);
    assert.deepEqual(readdirSync(place.work), []);
    assert.deepEqual(place.left(), []);
  }));

describe("Node's permission model, where little may be written", () => {
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission";
  const source = `
    import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
    import { register } from "atexit";
    import { remove } from "atexit/durable";
    import { lockFile, tempDir, tempFile } from "atexit/resources";
    const { WORK } = process.env;
    const temp = tempDir({ dir: WORK });
    mkdirSync(temp.path + "/below");
    writeFileSync(temp.path + "/below/file", "");
    tempFile({ dir: WORK });
    remove(WORK + "/later");
    writeFileSync(WORK + "/later", "");
    register(() => console.log("a function"));
    const failed = async (make) => {
      try {
        await make();
      } catch ({ code }) {
        console.log(code);
      }
    };
    await failed(() => lockFile(WORK + "/lock"));
    await failed(() => lockFile(WORK + "/../lock"));
    await failed(() => tempFile({ dir: WORK + "/.." }));
    console.log(readdirSync(WORK).length);`;
  const runWith = (place: Place, ...nodeOptions: string[]) =>
    place.run(source, {
      nodeOptions: [permission, `--allow-fs-write=${place.work}`, "--no-warnings", ...nodeOptions],
      env: { ATEXIT_DIR: "" },
    });
  const WARNING =
    /^atexit: Journals are not kept in .* has been restricted(?:\. Use [^.]*)?\. Set ATEXIT_DIR.* Until then cleanups happen.*\n$/;

  test("what is made there goes at the end, and one warning says what is lost", () =>
    inPlace(async (place) => {
      const { code, stdout, stderr } = await runWith(place, "--allow-fs-read=*");
      assert.match(stderr, WARNING);
      assert.equal(stdout, "ERR_ATEXIT_LOCK\nERR_ATEXIT_TEMP\n5\na function\n");
      assert.equal(code, 0);
      assert.deepEqual(readdirSync(place.work), []);
    }));

  test("where little may be read, too, there are no locks: nobody could tell whose they are", () =>
    inPlace(async (place) => {
      const allowed = [place.work, repository].map((path) => `--allow-fs-read=${path}/*`);
      const { code, stdout, stderr } = await runWith(place, ...allowed);
      assert.match(stderr, WARNING);
      assert.equal(stdout, "ERR_ATEXIT_LOCK\nERR_ATEXIT_LOCK\nERR_ATEXIT_TEMP\n3\na function\n");
      assert.equal(code, 0);
      assert.deepEqual(readdirSync(place.work), []);
    }));
});

test("no descriptors left: one warning, and the rest works", () =>
  inPlace(async (place) => {
    const source = `
      import { remove } from "atexit/durable";
      import fs from "node:fs";
      fs.mkdirSync(process.env.WORK + "/scratch");
      const taken = [];
      try {
        for (;;) taken.push(fs.openSync("/dev/null"));
      } catch {}
      for (const fd of taken.splice(-2)) fs.closeSync(fd); // two for the journal
      remove(process.env.WORK + "/scratch");
      for (const fd of taken) fs.closeSync(fd);
      process.exitCode = 0;`;
    const { code, stderr } = await runWithMounts(place, "ulimit -n 256", source);
    assertWarnedOnce(stderr);
    assert.equal(code, 0);
    assert.equal(existsSync(join(place.work, "scratch")), false);
    assert.deepEqual(place.left(), []);
  }));

test("no processes left: one warning, and the rest works", { skip: notRoot }, () =>
  inPlace(async (place) => {
    const NOBODY = 65_534; // the limit does not count for root
    for (const path of [place.work, place.journals]) chownSync(path, NOBODY, NOBODY);
    chmodSync(dirname(place.work), 0o711);
    const source = `
      import { remove } from "atexit/durable";
      import { execFileSync } from "node:child_process";
      import fs from "node:fs";
      execFileSync("prlimit", ["--pid", String(process.pid), "--nproc=1"]);
      process.setgroups([]);
      process.setgid(${NOBODY});
      process.setuid(${NOBODY});
      fs.mkdirSync(process.env.WORK + "/scratch");
      remove(process.env.WORK + "/scratch");
      setTimeout(() => {}, 50);`;
    const { code, stderr } = await place.run(source);
    assertWarnedOnce(stderr);
    assert.match(stderr, /EAGAIN/);
    assert.equal(code, 0);
    assert.equal(existsSync(join(place.work, "scratch")), false);
    assert.deepEqual(place.left(), []);
  }),
);

describe("a full disk", { skip: notRoot }, () => {
  const full = (body: string) => `
    import { exec, remove } from "atexit/durable";
    import fs from "node:fs";
    const { WORK, ATEXIT_DIR } = process.env;
    const make = (name) => (fs.mkdirSync(WORK + "/" + name), remove(WORK + "/" + name));
    const first = make("first");
    const second = make("second");
    const fill = () => {
      const fd = fs.openSync(ATEXIT_DIR + "/filler", "w");
      try {
        for (;;) fs.writeSync(fd, Buffer.alloc(4_096));
      } catch {}
    };
    const refused = [];
    // The page that the journal is in takes some lines more.
    const write = () => {
      for (let at = 0; at < 200; at += 1) {
        try {
          exec("true", ["x".repeat(100)]);
        } catch (error) {
          refused.push(error.code);
        }
      }
    };
    ${body}`;
  const MOUNT = 'mount -t tmpfs -o size=256k,mode=700 none "$ATEXIT_DIR"';

  test("a recipe that cannot be written down is refused, and the others stand", () =>
    inPlace(async (place) => {
      const source = full(`
        fill();
        write();
        console.log(refused.length > 10, [...new Set(refused)].join());
        process.exitCode = 0;`);
      const { code, stdout, stderr } = await runWithMounts(place, MOUNT, source);
      assert.equal(stdout, "true ERR_ATEXIT_JOURNAL\n", stderr);
      assert.equal(code, 0, stderr);
      assert.deepEqual(readdirSync(place.work), ["program.mjs"]);
    }));

  test("what was cancelled then is not carried out by the guard; the others are", () =>
    inPlace(async (place) => {
      const copy = join(place.work, "..", "copy");
      mkdirSync(copy, { mode: 0o700 });
      // The file system goes with its namespace: what was in it is looked at elsewhere.
      const source = full(`
        fill();
        write();
        second.cancel();
        fs.rmSync(ATEXIT_DIR + "/filler");
        fs.cpSync(ATEXIT_DIR, ${JSON.stringify(copy)}, { recursive: true });
        process.kill(process.pid, "SIGKILL");`);
      const { signal, stderr } = await runWithMounts(place, `export ATEXIT_GUARD=off; ${MOUNT}`, source);
      assert.equal(signal, "SIGKILL", stderr);
      for (const journal of readdirSync(copy).filter((name) => name.includes("-")))
        writeJournal(join(copy, journal), readFileSync(join(copy, journal), "utf8"));
      await place.recover({ env: { ATEXIT_DIR: copy } });
      assert.deepEqual(readdirSync(place.work).sort(), ["program.mjs", "second"]);
    }));
});

test("a directory that cannot be used: an error that says what to do, and nothing registered", () =>
  inPlace(async (place) => {
    const source = `
      import { count } from "atexit";
      import { remove } from "atexit/durable";
      try {
        remove(process.env.WORK + "/x");
      } catch (error) {
        console.log(error.code, count(), /ATEXIT_DIR/.test(error.message));
      }`;
    writeFileSync(join(place.work, "file"), "");
    const { stdout } = await place.run(source, { env: { ATEXIT_DIR: join(place.work, "file") } });
    assert.equal(stdout, "ERR_ATEXIT_DIRECTORY 0 true\n");
  }));
