// The API of tmp: what it makes, what it refuses, and what is left at the end, beside
// tmp itself.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { evaluate } from "../support/program.ts";
import { inPlace } from "../support/place.ts";
import { printed, until, withDirectory } from "../support/run.ts";

const MAKE = `
  import tmp from "PEER";
  import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
  import { basename } from "node:path";
  const tmpdir = process.env.TMPDIR;
  const look = (path) => [
    basename(path).replace(/\\d+-\\w{12}/, "PID-RANDOM").replace(/^in-\\w{6}/, "in-RANDOM"),
    (statSync(path).mode & 0o777).toString(8),
    statSync(path).isDirectory(),
  ];`;

/** The program prints the same, and leaves the same, with tmp as with this package in its place. */
const rows: Record<string, string> = {
  "a file, and its removal": `
    const file = tmp.fileSync();
    console.log(look(file.name), typeof file.fd);
    file.removeCallback(); file.removeCallback();
    console.log(existsSync(file.name));`,
  "options of a file": `
    console.log(look(tmp.fileSync({ prefix: "a", postfix: ".txt", mode: 0o640 }).name));
    console.log(look(tmp.fileSync({ template: "in-XXXXXX.log" }).name));
    console.log(look(tmp.fileSync({ name: "just-so" }).name));
    const { fd, name } = tmp.fileSync({ discardDescriptor: true }); console.log(fd, look(name));
    const detached = tmp.fileSync({ detachDescriptor: true }); detached.removeCallback(); writeFileSync(detached.fd, "x");`,
  "a directory, and its removal": `
    const dir = tmp.dirSync({ prefix: "d" });
    console.log(look(dir.name));
    writeFileSync(dir.name + "/x", "");
    try { dir.removeCallback(); } catch (error) { console.log(error.code); }
    const whole = tmp.dirSync({ unsafeCleanup: true });
    writeFileSync(whole.name + "/x", "");
    whole.removeCallback();
    console.log(existsSync(whole.name));`,
  callbacks: `
    await new Promise((over) => {
      tmp.file((error, path, fd, cleanup) => {
        console.log(error, look(path), typeof fd);
        cleanup((error) => over(console.log(error ?? "none", existsSync(path))));
      });
      console.log("first");
    });
    await new Promise((over) => tmp.dir({ prefix: "d" }, (error, path, cleanup) => {
      console.log(error, look(path));
      cleanup((error) => over(console.log(error ?? "none", existsSync(path))));
    }));
    tmp.tmpName({ postfix: ".x" }, (error, path) => console.log(error, path.endsWith("-.x"), existsSync(path)));`,
  "names only":
    'const path = tmp.tmpNameSync({ dir: "inner" }); console.log(path.startsWith(tmp.tmpdir + "/inner/"), existsSync(path));',
  "the directory": "console.log(tmp.tmpdir === tmpdir);",
  "what it refuses": `
    for (const options of [
      { dir: "../up" }, { dir: "/etc" }, { dir: "out" }, { dir: "not/there" }, { name: "a/b" }, { name: "/a" }, { name: ".." },
      { prefix: "../a" }, { postfix: "/../a" }, { prefix: ["x"] }, { template: "none" }, { template: 1 }, { template: "../XXXXXX" }, { tries: -1 }, { tries: "x" },
      { name: "taken" }, { template: "/etc/XXXXXX" },
    ]) {
      for (const make of [tmp.fileSync, tmp.dirSync, tmp.tmpNameSync]) {
        try { console.log(look(make(options).name)); } catch (error) { console.log(error.code ?? error.message); }
      }
      await new Promise((over) => tmp.tmpName(options, (error) => over(console.log(error?.code ?? error?.message))));
    }`,
  "all stays without setGracefulCleanup()": 'tmp.fileSync({ name: "stays" }); tmp.dirSync({ name: "stays-too" });',
  "setGracefulCleanup() counts for what was made before it": `
    tmp.fileSync({ name: "before" }); tmp.setGracefulCleanup();
    tmp.fileSync({ name: "after" }); tmp.fileSync({ name: "kept", keep: true });
    writeFileSync(tmp.dirSync({ name: "full" }).name + "/x", ""); tmp.dirSync({ name: "empty" });
    writeFileSync(tmp.dirSync({ name: "whole", unsafeCleanup: true }).name + "/x", "");
    tmp.fileSync({ name: "removed" }).removeCallback();
    console.log(readdirSync(tmpdir).sort()); process.exit(0);`,
};

describe("atexit/compat/tmp", { concurrency: 2 }, () => {
  for (const [name, source] of Object.entries(rows)) {
    test(name, async () => {
      const [theirs, ours] = [await madeWith("tmp", source), await madeWith("atexit/compat/tmp", source)];
      assert.deepEqual(ours, theirs);
    });
  }

  test("what is to go at exit goes on a signal and after SIGKILL, too", () =>
    inPlace(async (place) => {
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        const source = `${MAKE} tmp.setGracefulCleanup();
          const { name } = tmp.dirSync({ unsafeCleanup: true }); writeFileSync(name + "/x", "");
          console.log(tmp.fileSync().name, name); console.log("made"); setInterval(() => {}, 1_000);`;
        const ended = await place.run(source.replace("PEER", "atexit/compat/tmp"), {
          async act(child) {
            await printed(child, "made\n");
            child.kill(signal);
          },
        });
        const paths = ended.stdout.split("\n", 1)[0]?.split(" ") ?? [];
        assert.equal(paths.length, 2);
        await until(() => !paths.some((path) => existsSync(path)));
        await place.quiet();
      }
    }));
});

async function madeWith(peer: string, source: string) {
  return withDirectory(async (given) => {
    const directory = realpathSync(given);
    mkdirSync(join(directory, "inner"));
    mkdirSync(join(directory, "taken"));
    symlinkSync("/etc", join(directory, "out"));
    const { stdout, stderr, code } = await evaluate(MAKE.replace("PEER", peer) + source, { TMPDIR: directory });
    const left = readdirSync(directory).map((name) => name.replace(/\d+-\w{12}|in-\w{6}/, "RANDOM"));
    // The asynchronous forms of tmp name the last try.
    const said = stdout.replaceAll(directory, "DIRECTORY").replaceAll("reached DIRECTORY/taken", "reached");
    return { stdout: said, stderr, code, left };
  });
}
