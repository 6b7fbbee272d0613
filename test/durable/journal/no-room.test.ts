// Where no journal can be kept: the next place is taken, and where there is none
// the program goes on without, and says so once.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { cannotMount, runWithMounts } from "../../support/mounts.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { until } from "../../support/run.ts";

const skip = cannotMount("journals on file systems that take none");

/** Where a program has its home on one file system, and its temporary directory on another. */
function homeAndTemporary({ work }: Place) {
  const [home, tmp] = [join(work, "home"), join(work, "tmp")];
  mkdirSync(join(home, ".local/state/atexit"), { recursive: true, mode: 0o700 });
  mkdirSync(tmp, { mode: 0o700 });
  const env = { HOME: home, TMPDIR: tmp, ATEXIT_DIR: "", XDG_STATE_HOME: "", XDG_RUNTIME_DIR: "" };
  return { home, tmp, env };
}

/** Scripts after which nothing can be kept in a directory, though it is there and one's own. */
const FILL = {
  "read only": (directory: string) => `mount -t tmpfs -o mode=700 none ${directory}
    mkdir -m 700 -p ${directory}/.local/state/atexit
    mount -o remount,ro ${directory}`,
  full: (directory: string) => `mount -t tmpfs -o size=16k,mode=700 none ${directory}
    mkdir -m 700 -p ${directory}/.local/state/atexit
    dd if=/dev/zero of=${directory}/filler bs=4k 2>/dev/null || true`,
  "without an inode": (directory: string) => `mount -t tmpfs -o nr_inodes=10,mode=700 none ${directory}
    mkdir -m 700 -p ${directory}/.local/state/atexit
    for name in 1 2 3 4 5 6 7 8 9; do touch ${directory}/$name 2>/dev/null || true; done`,
} as const;

/** What a program does with the package, and prints of it. */
const ALL = `
  import fs from "node:fs";
  import { register } from "atexit";
  import { remove } from "atexit/durable";
  import { lockFile, tempDir } from "atexit/resources";
  const { WORK } = process.env;
  register(() => console.log("a function"));
  fs.mkdirSync(WORK + "/made");
  remove(WORK + "/made");
  remove(WORK + "/later");
  fs.mkdirSync(WORK + "/later");
  tempDir({ dir: WORK });
  await lockFile(WORK + "/lock");
  console.log(fs.readdirSync(WORK).length);
`;

for (const [what, fill] of Object.entries(FILL)) {
  describe(`a home that is ${what}`, { skip }, () => {
    test("the next place is taken, and after SIGKILL the guard carries out what is in it", () =>
      inPlace(async (place) => {
        const { home, tmp, env } = homeAndTemporary(place);
        const before = readdirSync(place.work).length + 1; // with the program
        const source = `${ALL} process.kill(process.pid, "SIGKILL");`;
        const { signal, stdout, stderr } = await runWithMounts(place, fill(home), source, { env });
        assert.equal(signal, "SIGKILL", stderr);
        assert.equal(stdout, `${before + 5}\n`);
        if (what === "read only") assert.equal(stderr, "");
        else assert.match(stderr, /^atexit: Journals are not kept in .*home.*: ENOSPC.* Until then they are in .*tmp/);
        assert.equal(stderr.split("\n").length - 1, what === "read only" ? 0 : 1, stderr);
        await until(() => readdirSync(place.work).length === before);
        await until(() => readdirSync(join(tmp, "atexit-0")).every((name) => !/-.*-/.test(name)));
      }));

    test("where no place is left, all goes on, and it is said once", () =>
      inPlace(async (place) => {
        const { home, tmp, env } = homeAndTemporary(place);
        const before = readdirSync(place.work).length + 1;
        const script = `${fill(home)}\n${fill(tmp)}\nmkdir -m 700 ${tmp}/atexit-0 2>/dev/null || true`;
        const source = `${ALL} process.on("exit", () => console.log(fs.readdirSync(process.env.TMPDIR).join()));`;
        const { code, stdout, stderr } = await runWithMounts(place, script, source, { env });
        assert.equal(code, 0, stderr);
        assert.match(stdout, new RegExp(`^${before + 5}\na function\n`));
        assert.doesNotMatch(stdout, /atexit-0-/, "no directory is left that was made in vain");
        assert.match(
          stderr,
          /^atexit: Journals are not kept in .*home.*: E\w+.*Set ATEXIT_DIR.* Until then cleanups happen/,
        );
        assert.equal(stderr.split("\n").length, 2, stderr);
        assert.equal(readdirSync(place.work).length, before);
      }));
  });
}

test("a disk that fills up later: what comes then is cleaned up at every exit that JavaScript sees", { skip }, () =>
  inPlace(async (place) => {
    const { home, env } = homeAndTemporary(place);
    const script = `mount -t tmpfs -o size=64k,mode=700 none ${home}`;
    const source = `
      import fs from "node:fs";
      import { remove } from "atexit/durable";
      import { tempDir } from "atexit/resources";
      const { HOME, WORK } = process.env;
      const make = (name) => (fs.mkdirSync(WORK + "/" + name), remove(WORK + "/" + name));
      make("first");
      const fd = fs.openSync(HOME + "/filler", "w");
      try {
        for (;;) fs.writeSync(fd, Buffer.alloc(4_096));
      } catch {}
      for (let n = 0; n < 60; n += 1) make("n" + n);
      tempDir({ dir: WORK });
      fs.rmSync(HOME + "/filler"); // at the end is room to write down what is over`;
    const { code, stderr } = await runWithMounts(place, script, source, { env });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^atexit: Journals are not kept in .*home.*: ENOSPC.* Until then cleanups happen.*\n$/);
    assert.deepEqual(readdirSync(place.work).sort(), ["home", "program.mjs", "tmp"]);
  }),
);

describe("a journal directory that is removed under a running program", () => {
  for (const [how, remove] of [
    ["is made anew at the next registration", `remove(WORK + "/second");`],
    ["also by one of what is not there yet", `remove(WORK + "/never"); remove(WORK + "/second");`],
  ] as const) {
    test(`${how}, and nothing is lost`, () =>
      inPlace(async (place) => {
        const source = `
          import fs from "node:fs";
          import { remove } from "atexit/durable";
          const { ATEXIT_DIR, WORK } = process.env;
          for (const name of ["first", "second"]) fs.mkdirSync(WORK + "/" + name);
          remove(WORK + "/first");
          fs.rmSync(ATEXIT_DIR, { recursive: true });
          ${remove}
          process.kill(process.pid, "SIGKILL");`;
        const { signal, stderr } = await place.run(source);
        assert.equal(signal, "SIGKILL", stderr);
        assert.match(stderr, /^atexit: somebody has removed the journal .*: it is written anew\.\n$/);
        await place.quiet();
        assert.deepEqual(readdirSync(place.work), []);
        assert.deepEqual(place.left(), []);
      }));
  }

  test("what was registered is over without it, and no error says otherwise", () =>
    inPlace(async (place) => {
      const source = `
        import fs from "node:fs";
        import { remove } from "atexit/durable";
        const { ATEXIT_DIR, WORK } = process.env;
        for (const name of ["first", "second"]) {
          fs.mkdirSync(WORK + "/" + name);
          remove(WORK + "/" + name);
        }
        fs.rmSync(ATEXIT_DIR, { recursive: true });`;
      const { code, stderr } = await place.run(source);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.deepEqual(readdirSync(place.work), []);
      assert.equal(existsSync(place.journals), false);
    }));

  test("where it cannot be made anew, the program is told", () =>
    inPlace(async (place) => {
      const source = `
        import fs from "node:fs";
        import { remove } from "atexit/durable";
        const { ATEXIT_DIR, WORK } = process.env;
        remove(WORK + "/first");
        fs.rmSync(ATEXIT_DIR, { recursive: true });
        fs.writeFileSync(ATEXIT_DIR, "");
        try {
          remove(WORK + "/second");
        } catch ({ code }) {
          console.log(code);
        }`;
      const { stdout, stderr } = await place.run(source);
      assert.equal(stdout, "ERR_ATEXIT_JOURNAL\n", stderr);
      rmSync(place.journals);
      writeFileSync(join(place.work, "x"), "");
    }));
});
