// whyReplaceable: whether anybody but this user and root decides what is at a path,
// or at any place that the way to it leads through.

import assert from "node:assert/strict";
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { whyReplaceable } from "../../src/platform/trusted-path.ts";
import { letWrite } from "../support/access-lists.ts";
import { noteMissing } from "../support/missing.ts";
import { isFromSources } from "../support/package-under-test.ts";
import { run, withDirectory } from "../support/run.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

test("a file that nobody else can replace is trusted, however its path is written", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "a/b"), { recursive: true });
    writeFileSync(join(directory, "a/file"), "");
    symlinkSync("a/b", join(directory, "link"));
    for (const path of ["a/file", "a/b/../file", "link/../file", "./a//file"]) {
      assert.equal(whyReplaceable(`${directory}/${path}`), undefined, path);
    }
    assert.throws(() => whyReplaceable(`${directory}/link/file`), { code: "ENOENT" });
    symlinkSync("loop", join(directory, "loop"));
    assert.throws(() => whyReplaceable(join(directory, "loop")), { code: "ELOOP" });
  }));

test("a link on the way that lies where anybody can replace it is not", () =>
  withDirectory(async (directory) => {
    mkdirSync(join(directory, "open"));
    chmodSync(join(directory, "open"), 0o777);
    writeFileSync(join(directory, "file"), "");
    symlinkSync("../file", join(directory, "open/second"));
    symlinkSync("open/second", join(directory, "first"));
    assert.match(whyReplaceable(join(directory, "first")) ?? "", /anybody can replace what is in .*open/);
    assert.match(whyReplaceable(`${directory}/open/../file`) ?? "", /anybody can replace what is in .*open/);
    chmodSync(join(directory, "open"), 0o1777);
    assert.equal(whyReplaceable(join(directory, "first")), undefined, "there only its owner can");
  }));

test("nor is what belongs to another user, a link in a sticky directory included", { skip: notRoot }, () =>
  withDirectory(async (directory) => {
    writeFileSync(join(directory, "file"), "");
    symlinkSync("file", join(directory, "link"));
    lchownSync(join(directory, "link"), 12_345, 12_345);
    assert.match(whyReplaceable(join(directory, "link")) ?? "", /link belongs to another user \(uid 12345\)/);
    chownSync(join(directory, "file"), 12_345, 12_345);
    assert.match(whyReplaceable(join(directory, "file")) ?? "", /file belongs to another user/);
  }),
);

const USER = 12_345;

/** What a user of that number is told of a directory, where /etc has these files in it. */
async function askedBy(directory: string, accounts: string, groups: string): Promise<string> {
  const files = withDirectory(async (etc) => {
    writeFileSync(join(etc, "passwd"), accounts);
    writeFileSync(join(etc, "group"), groups);
    const module = new URL("../../src/platform/trusted-path.js", import.meta.url).href;
    const ask = `import { whyReplaceable } from ${JSON.stringify(module)}; console.log(whyReplaceable(process.argv[1]));`;
    const script = `
      for name in passwd group; do mount --bind "$0/$name" "/etc/$name"; done
      exec setpriv --reuid ${USER} --regid ${USER} --clear-groups "$@"`;
    const node = [process.execPath, "--input-type=module", "-e", ask, directory];
    return run("unshare", ["--mount", "sh", "-ec", script, etc, ...node]);
  });
  const { stdout, stderr } = await files;
  return stdout + stderr;
}

test("a user's own group is trusted as long as nobody else is in it", { skip: notRoot || isFromSources }, () =>
  withDirectory(async (directory) => {
    chmodSync(directory, 0o755);
    const shared = join(directory, "shared");
    mkdirSync(shared);
    chownSync(shared, USER, USER);
    chmodSync(shared, 0o775);
    const alice = `alice:x:${USER}:${USER}::/:/bin/sh\n`;
    assert.equal(await askedBy(shared, alice, `alice:x:${USER}:\n`), "undefined\n");
    const byGroup = /^its group \(gid 12345\) can replace/;
    assert.match(await askedBy(shared, alice, `alice:x:${USER}:mallory\n`), byGroup);
    const mallory = `mallory:x:666:${USER}::/:/bin/sh\n`;
    assert.match(await askedBy(shared, alice + mallory, `alice:x:${USER}:\n`), byGroup);
  }),
);

test("a directory into which an access list lets others write is not", { skip: notRoot || isFromSources }, (t) =>
  withDirectory(async (directory) => {
    const open = join(directory, "open");
    mkdirSync(open);
    assert.equal(whyReplaceable(open), undefined);
    const missing = await letWrite(USER, open);
    if (missing !== undefined) return t.skip(noteMissing("access lists", missing));
    assert.match(whyReplaceable(open) ?? "", /^an access list lets others replace what is in/);
    return undefined;
  }),
);
