// Where an application keeps its lock and its log: nowhere that another user has
// made, or can replace, and in the next place where the usual one is not to be had.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { noteMissing } from "../support/missing.ts";
import { inPlace, type Place } from "../support/place.ts";

/** Users without an account. */
const THEIRS = 54_321;
const OWN = 12_345;

const notRoot =
  process.getuid?.() !== 0 && noteMissing("an app's directory that another user has made", "it takes root to make it");

/** Starts an app with these options, as another user where one is given, and prints where its lock is, or the error. */
const started = (options = "", uid = 0) => `
  import { start } from "atexit/app";
  if (${uid} !== 0) {
    process.setgroups([]);
    process.setgid(${uid});
    process.setuid(${uid});
  }
  const { WORK } = process.env;
  try {
    const app = await start("mine", { ${options} });
    app.log("a line");
    await app.close();
  } catch ({ code, message }) {
    console.log(code, message);
  }`;

const run = (place: Place, source: string, env: NodeJS.ProcessEnv = {}) =>
  place.run(source, {
    limit: 20_000,
    env: {
      HOME: undefined,
      XDG_STATE_HOME: undefined,
      STATE_DIRECTORY: undefined,
      LOGS_DIRECTORY: undefined,
      TMPDIR: join(place.work, "tmp"),
      ...env,
    },
  });

/** As /tmp is. */
function makeTemporary({ work }: Place): string {
  chmodSync(dirname(work), 0o755);
  chmodSync(work, 0o755);
  mkdirSync(join(work, "tmp"));
  chmodSync(join(work, "tmp"), 0o1777);
  return join(work, "tmp");
}

const giveAway = (path: string) => lchownSync(path, THEIRS, THEIRS);

describe("a temporary directory in which somebody has made the app's first", { skip: notRoot }, () => {
  for (const [what, why, squat] of [
    ["as his own", /belongs to another user \(uid 54321\)/, (path: string) => (mkdirSync(path), giveAway(path))],
    [
      "as one that anybody may write to",
      /anybody can replace what is in .*\(mode 0777\)/,
      (path: string) => (mkdirSync(path), chownSync(path, OWN, OWN), chmodSync(path, 0o777)),
    ],
    [
      "as a link",
      /belongs to another user \(uid 54321\)/,
      (path: string, work: string) => {
        mkdirSync(join(work, "victim"));
        chownSync(join(work, "victim"), OWN, OWN);
        symlinkSync(join(work, "victim"), path);
        giveAway(path);
      },
    ],
  ] as const) {
    test(`${what}: it is not used, and the error says what to do`, () =>
      inPlace(async (place) => {
        const path = join(makeTemporary(place), `mine-${OWN}`);
        squat(path, place.work);
        const { stdout, stderr } = await run(place, started("", OWN));
        assert.match(
          stdout,
          /^ERR_ATEXIT_STATE_DIRECTORY .* are not kept in .*mine-12345: .*Pass \{ dir \}, or set/,
          stderr,
        );
        assert.match(stdout, why);
        assert.deepEqual(readdirSync(path), []);
      }));
  }

  test("it is not used either where the program has chosen it", () =>
    inPlace(async (place) => {
      const path = join(makeTemporary(place), "chosen");
      mkdirSync(path, { mode: 0o777 });
      chmodSync(path, 0o777);
      giveAway(path);
      for (const dir of ["chosen", "chosen/below"]) {
        const { stdout } = await run(place, started(`dir: WORK + "/tmp/${dir}"`, OWN));
        assert.match(stdout, /^ERR_ATEXIT_STATE_DIRECTORY .*chosen belongs to another user .* anybody may make it in/);
      }
      assert.deepEqual(readdirSync(path), []);
    }));
});

describe("what another user has put into the directory", { skip: notRoot }, () => {
  for (const [what, put] of [
    [
      "a link",
      (log: string, work: string) => {
        writeFileSync(join(work, "victim"), "");
        symlinkSync(join(work, "victim"), log);
        giveAway(log);
      },
    ],
    ["a named pipe", (log: string) => execFileSync("mkfifo", [log])],
    [
      "a file that anybody may write to",
      (log: string) => (writeFileSync(log, ""), chmodSync(log, 0o666), giveAway(log)),
    ],
  ] as const) {
    test(`${what} in the log's place gets nothing`, () =>
      inPlace(async (place) => {
        mkdirSync(join(place.work, "home/.local/state/mine"), { recursive: true });
        const log = join(place.work, "home/.local/state/mine/mine.log");
        put(log, place.work);
        const { stdout, stderr } = await run(place, started(), { HOME: join(place.work, "home") });
        assert.match(stdout, /ERR_ATEXIT_LOG No log is written to .*mine\.log/, stderr);
        if (existsSync(join(place.work, "victim"))) assert.equal(readFileSync(join(place.work, "victim"), "utf8"), "");
      }));
  }
});

describe("the next place", () => {
  test("is taken, and said, where the home is not to be written to", { skip: notRoot }, () =>
    inPlace(async (place) => {
      const home = join(place.work, "home");
      mkdirSync(home);
      const tmp = makeTemporary(place);
      const { stdout, stderr } = await run(place, started("", OWN), { HOME: home, ATEXIT_DIR: "" });
      assert.match(stdout, /^\[mine\] Lock acquired: .*\/tmp\/mine-12345\/mine\.lock\n/, stderr);
      assert.match(
        stderr,
        /^atexit: The application's .* are not kept in .*home\/\.local\/state\/mine: EACCES.* Until then: .*tmp\/mine-12345\.\n$/,
      );
      assert.equal(statSync(join(tmp, `mine-${OWN}`)).mode & 0o777, 0o700);
    }),
  );

  test("is taken where there is neither a home nor an account", { skip: notRoot }, () =>
    inPlace(async (place) => {
      makeTemporary(place);
      const { stdout, stderr } = await run(place, started("", OWN), { ATEXIT_DIR: "" });
      assert.match(stdout, /^\[mine\] Lock acquired: .*\/tmp\/mine-12345\/mine\.lock\n/, stderr);
      assert.match(stdout, /Lock released/);
      assert.equal(stderr, "");
      // Its journals are beside it.
      assert.deepEqual(readdirSync(join(place.work, "tmp")).sort(), ["atexit-12345", "mine-12345"]);
    }),
  );

  test("a link of this user's to the directory is followed", () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "disk"), { mode: 0o700 });
      symlinkSync(join(place.work, "disk"), join(place.work, "state"));
      const { stdout, stderr } = await run(place, started(`dir: WORK + "/state"`));
      assert.match(stdout, /Lock released/, stderr);
      assert.deepEqual(readdirSync(join(place.work, "disk")), ["mine.log"]);
    }));
});
