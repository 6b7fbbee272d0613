// whyReplaceable: whether anybody but this user and root decides what is at a path,
// or at any place that the way to it leads through.

import assert from "node:assert/strict";
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { whyReplaceable } from "../../src/platform/trusted-path.ts";
import { withDirectory } from "../support/run.ts";

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
