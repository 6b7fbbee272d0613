// remove() means one file in one directory: whatever has come to be at its path
// since is left alone, and that is told.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { noteMissing } from "../../support/missing.ts";
import { urlOf } from "../../support/package-under-test.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { printed } from "../../support/run.ts";
import { everythingIn, program, reasonsIn, SIGKILL } from "./program.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";
const NO_GUARD = { ATEXIT_GUARD: "off" };

/** Runs a program that registers something and is killed, with what happens before its recipes are carried out. */
async function leftBehind(place: Place, body: string, meanwhile: () => void): Promise<void> {
  await place.run(program(body, SIGKILL), { env: NO_GUARD });
  meanwhile();
  await place.recover();
}

describe("a path where nothing was at registration", () => {
  test("takes the file that its program has made, though another one was there later", () =>
    inPlace(async (place) => {
      const body =
        'remove(at("x")); fs.writeFileSync(at("x"), ""); await new Promise((resolve) => setTimeout(resolve, 100));';
      await leftBehind(place, body, () => {});
      assert.deepEqual(readdirSync(place.work), []);
    }));

  test("does not take what somebody has put in that one's place", () =>
    inPlace(async (place) => {
      const body = `remove(at("x")); fs.writeFileSync(at("x"), ""); await new Promise((resolve) => setTimeout(resolve, 100));
        fs.writeFileSync(at("y"), ""); fs.renameSync(at("y"), at("x"));`;
      await place.run(program(body, SIGKILL));
      await place.quiet();
      assert.deepEqual(readdirSync(place.work), ["x"]);
      assert.match(reasonsIn(place), /another file has taken its place/);
    }));

  test("does not take a file that is younger than its program's last sign of life", () =>
    inPlace(async (place) => {
      await leftBehind(place, 'remove(at("x"));', () => {
        const before = Date.now();
        while (Date.now() < before + 30); // one tick of the file system's clock
        writeFileSync(join(place.work, "x"), "somebody else's");
      });
      assert.deepEqual(readdirSync(place.work), ["x"]);
      assert.match(reasonsIn(place), /younger than the last sign of life/);
    }));

  test("goes by the file system's clock, whatever the program's says", () =>
    inPlace(async (place) => {
      for (const fake of ["0", "4e12"]) {
        const body = `Date.now = () => ${fake}; remove(at("x")); fs.writeFileSync(at("x"), "");`;
        await place.run(program(body, SIGKILL));
        await place.quiet();
        assert.deepEqual(readdirSync(place.work), [], reasonsIn(place));
      }
    }));

  test("a socket that another process holds goes on being there", () =>
    inPlace(async (place) => {
      // A child that has inherited the socket outlives its parent, which was killed before it could look at it.
      const body = `remove(at("x"));
        const { spawn } = await import("node:child_process");
        const { fd } = net.createServer().listen(at("x"))._handle;
        const heir = spawn("sleep", ["30"], { stdio: ["ignore", "ignore", "ignore", fd], detached: true });
        fs.writeFileSync(at("heir"), String(heir.pid));`;
      await place.run(program(body, SIGKILL));
      const heir = Number(readFileSync(join(place.work, "heir"), "utf8"));
      try {
        await place.quiet();
        assert.ok(existsSync(join(place.work, "x")), "it is there");
        assert.match(reasonsIn(place), /a program that is alive is bound to it/);
      } finally {
        process.kill(heir, "SIGKILL");
      }
    }));
});

describe("the directory of a path", () => {
  test("that was made later and has become a link by now is not followed", () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "precious"));
      writeFileSync(join(place.work, "precious/file"), "");
      await leftBehind(place, 'remove(at("later/file"));', () => symlinkSync("precious", join(place.work, "later")));
      assert.deepEqual(everythingIn(place.work), ["later", "precious", "precious/file"]);
      assert.match(reasonsIn(place), /no directory/);
    }));

  test("that is another one by now holds nothing that was meant", () =>
    inPlace(async (place) => {
      const body = `fs.mkdirSync(at("d")); fs.writeFileSync(at("d/x"), ""); remove(at("d/x"));
        fs.renameSync(at("d"), at("old")); fs.mkdirSync(at("d")); fs.linkSync(at("old/x"), at("d/x"));`;
      await place.run(program(body, SIGKILL));
      await place.quiet();
      assert.deepEqual(everythingIn(place.work), ["d", "d/x", "old", "old/x"]);
      assert.match(reasonsIn(place), /another directory by now/);
    }));

  test("is where the system finds it: after a link, .. is the parent of what that leads to", () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "far/away"), { recursive: true });
      for (const name of ["x", "far/x"]) writeFileSync(join(place.work, name), "");
      symlinkSync("far/away", join(place.work, "link"));
      for (const end of ["", SIGKILL]) {
        writeFileSync(join(place.work, "far/x"), "");
        await place.run(program('remove(at("link/../x"));', end));
        await place.quiet();
        assert.deepEqual(everythingIn(place.work), ["far", "far/away", "link", "x"]);
      }
    }));

  test("a URL with a slash at its end means a link itself, and not what it leads to", () =>
    inPlace(async (place) => {
      mkdirSync(join(place.work, "precious"));
      writeFileSync(join(place.work, "precious/file"), "");
      const body = 'fs.symlinkSync("precious", at("link")); remove(new URL(pathToFileURL(at("link")).href + "/"));';
      for (const end of ["", SIGKILL]) {
        await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(everythingIn(place.work), ["precious", "precious/file"]);
      }
    }));
});

describe("a file system", () => {
  /** Runs a shell script in a mount namespace of its own; `run BODY` in it is a program that is killed. */
  function apart(place: Place, script: string, bodies: Readonly<Record<string, string>>) {
    for (const [name, body] of Object.entries(bodies)) writeFileSync(join(place.work, "..", `${name}.mjs`), body);
    const run = (name: string) => `"${process.execPath}" "${join(place.work, "..", `${name}.mjs`)}"`;
    const text = script.replaceAll(/\brun (\w+)/g, (_, name: string) => run(name));
    const env = { ...place.environment, ATEXIT_DIR: place.journals, ATEXIT_GUARD: "off" };
    return spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", text], {
      cwd: place.work,
      env,
      encoding: "utf8",
    });
  }
  const recovers = `import { recover } from ${JSON.stringify(urlOf("atexit/durable"))}; await recover();`;

  test("that is mounted on a temporary directory keeps what is in it", { skip: notRoot }, () =>
    inPlace(async (place) => {
      const source = (end: string) =>
        program(
          `fs.mkdirSync(at("precious")); fs.writeFileSync(at("precious/file"), ""); fs.mkdirSync(at("x")); remove(at("x"));
           execFileSync("mount", ["--bind", at("precious"), at("x")]);`,
          end,
        );
      const { status } = apart(place, 'run exits; ls "$WORK/precious" >"$WORK/seen"', {
        exits: source("process.exit();"),
      });
      assert.equal(status, 0);
      assert.ok(existsSync(join(place.work, "precious/file")));
    }),
  );

  test("without a table of mounts: what is empty goes, and what is not stays, with a word", { skip: notRoot }, () =>
    inPlace(async (place) => {
      const body = `for (const name of ["empty", "full"]) { fs.mkdirSync(at(name)); remove(at(name)); }
        fs.writeFileSync(at("full/file"), "");`;
      const exits = program(body, "");
      const { stderr } = apart(place, "mount -t tmpfs none /proc; run exits", { exits });
      assert.deepEqual(everythingIn(place.work), ["full", "full/file"]);
      assert.match(stderr, /what is mounted in it cannot be known/);
    }),
  );

  test(
    "without times of birth: what has another file's number, or has changed since its program died, stays",
    { skip: notRoot },
    () =>
      inPlace(async (place) => {
        const body = `const names = ["old", "young", "reused"].map((name) => at("fs/" + name));
        for (const name of names) fs.writeFileSync(name, "");
        await new Promise((resolve) => setTimeout(resolve, 1_100)); // such file systems count seconds
        for (const name of names) remove(name);
        fs.unlinkSync(at("fs/reused")); fs.writeFileSync(at("fs/reused"), "theirs");`;
        const script = `mkdir fs; truncate -s 4M image
        mkfs.ext4 -q -I 128 image >/dev/null 2>&1 && mount -o loop image fs || exit 77
        run killed; sleep 1; rm fs/young; echo theirs >fs/young; run recovers; ls fs`;
        const { status, stdout, stderr } = apart(place, script, { killed: program(body, SIGKILL), recovers });
        if (status === 77) {
          noteMissing("file systems without times of birth", stderr);
          return;
        }
        assert.equal(stdout, "lost+found\nreused\nyoung\n", stderr + reasonsIn(place));
        assert.match(reasonsIn(place), /keeps no times of birth/);
      }),
  );

  test("overlayfs: what was copied up when it was written to is still the same", { skip: notRoot }, () =>
    inPlace(async (place) => {
      for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(join(place.work, name));
      writeFileSync(join(place.work, "lower/file"), "below");
      const body = 'remove(at("merged/file")); fs.appendFileSync(at("merged/file"), "and above");';
      const script = `mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged || exit 77
        run killed; run recovers; ls merged`;
      const { status, stdout, stderr } = apart(place, script, { killed: program(body, SIGKILL), recovers });
      if (status === 77) return; // no overlayfs in this kernel
      assert.equal(stdout, "", stderr + reasonsIn(place));
    }),
  );
});

test("a tree of which one entry may not be removed: all else goes, and that one is named", { skip: notRoot }, () =>
  inPlace(async (place) => {
    const body = `for (const name of ["a", "k", "m", "z"]) { fs.mkdirSync(at("x/" + name), { recursive: true }); fs.writeFileSync(at("x/" + name + "/file"), ""); }
      execFileSync("chattr", ["+i", at("x/k/file")]); remove(at("x"));`;
    await place.run(program(body, 'process.stdout.write("up\\n"); setInterval(() => {}, 1_000);'), {
      async act(child) {
        await printed(child, "up\n");
        child.kill("SIGTERM");
      },
    });
    const left = everythingIn(place.work);
    spawnSync("chattr", ["-i", join(place.work, "x/k/file")]);
    assert.deepEqual(left, ["x", "x/k", "x/k/file"]);
  }),
);
