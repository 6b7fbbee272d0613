// A directory for journals is made where there is none, and refused where anybody
// but the user could put a journal into it.

import assert from "node:assert/strict";
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace, type Place } from "../../support/place.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

describe("a directory for journals", () => {
  const directories: readonly (readonly [
    name: string,
    make: (place: Place) => string,
    why: RegExp | undefined,
    skip?: string | false,
  ])[] = [
    ["that does not exist is made", ({ work }) => join(work, "new", "er"), undefined],
    [
      "that others may read",
      ({ work }) => {
        mkdirSync(join(work, "d"), { mode: 0o755 });
        return join(work, "d");
      },
      /others have access to it \(mode 0755\)/,
    ],
    [
      "that belongs to another user",
      ({ work }) => {
        mkdirSync(join(work, "d"), { mode: 0o700 });
        chownSync(join(work, "d"), 65_534, 65_534);
        return join(work, "d");
      },
      /belongs to another user/,
      notRoot,
    ],
    [
      "inside another user's",
      ({ work }) => {
        mkdirSync(join(work, "theirs/d"), { recursive: true, mode: 0o700 });
        chownSync(join(work, "theirs"), 65_534, 65_534);
        return join(work, "theirs/d");
      },
      /theirs belongs to another user/,
      notRoot,
    ],
    [
      "that is a link",
      ({ work }) => {
        mkdirSync(join(work, "d"), { mode: 0o700 });
        symlinkSync(join(work, "d"), join(work, "link"));
        return join(work, "link");
      },
      /link is a symbolic link/,
    ],
    [
      "behind a link that leads to where anybody could replace it",
      ({ work }) => {
        mkdirSync(join(work, "a/d"), { recursive: true, mode: 0o700 });
        symlinkSync(join(work, "a"), join(work, "link"));
        chmodSync(join(work, "a"), 0o777);
        return join(work, "link/d");
      },
      /anybody can replace what is in .*a /,
    ],
    [
      "that anybody could replace",
      ({ work }) => {
        mkdirSync(join(work, "open/d"), { recursive: true, mode: 0o700 });
        chmodSync(join(work, "open"), 0o777);
        return join(work, "open/d");
      },
      /anybody can replace what is in .*open/,
    ],
  ];
  for (const [name, make, why, skip = false] of directories) {
    test(name, { skip }, () =>
      inPlace(async (place) => {
        const directory = make(place);
        const source = `
          import { recover, remove } from "atexit/durable";
          for (const use of [() => remove(process.env.WORK + "/x"), () => recover()]) {
            try {
              await use();
              console.log("used");
            } catch (error) {
              console.log(error.code, error.message);
            }
          }`;
        const { stdout, stderr } = await place.run(source, { env: { ATEXIT_DIR: directory } });
        assert.equal(stderr, "");
        const lines = stdout.split("\n").slice(0, -1);
        assert.equal(lines.length, 2);
        for (const line of lines) {
          if (why === undefined) assert.equal(line, "used");
          else {
            assert.match(line, why);
            assert.match(line, /^ERR_ATEXIT_DIRECTORY .*Set ATEXIT_DIR/);
          }
        }
        if (why === undefined) assert.equal(lstatSync(directory).mode & 0o777, 0o700);
        else assert.deepEqual(readdirSync(directory), []);
      }),
    );
  }

  test("the default is below the user's home, and not below another user's", { skip: notRoot }, () =>
    inPlace(async (place) => {
      const source = `
        import { remove } from "atexit/durable";
        remove(process.env.WORK + "/x");
        process.kill(process.pid, "SIGKILL");`;
      const home = join(place.work, "home");
      mkdirSync(home);
      const env = {
        ATEXIT_DIR: "",
        ATEXIT_GUARD: "off",
        HOME: home,
        XDG_STATE_HOME: "",
        XDG_RUNTIME_DIR: "",
        TMPDIR: place.work,
      };
      await place.run(source, { env });
      assert.equal(readdirSync(join(home, ".local/state/atexit")).length, 1);
      rmSync(join(home, ".local"), { recursive: true });
      chownSync(home, 65_534, 65_534);
      await place.run(source, { env });
      assert.deepEqual(readdirSync(home), []);
      assert.equal(readdirSync(join(place.work, "atexit-0")).length, 1);
    }),
  );
});
