// The file by which the next start knows how the last run ended: whatever is in
// it, the next run begins.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inPlace, type Place } from "../support/place.ts";

const PROGRAM = `
  import { start } from "atexit/app";
  const { lost } = await start("myapp", { dir: process.env.WORK, log: false, quiet: true });
  console.log(JSON.stringify(lost));`;

const fileOf = ({ work }: Place) => join(work, "myapp.run");

describe("what a file can hold", () => {
  const contents: Readonly<Record<string, string>> = {
    nothing: "",
    null: "null\n",
    "a number": "5\n",
    "a list": "[]\n",
    "fields of wrong types": '{"pid":"1","since":5,"boot":null}\n',
    "times that are none": '{"pid":1e300,"since":"\u001b[2J","boot":""}\n',
    "JSON that is deep": "[".repeat(1e6),
  };
  for (const [what, content] of Object.entries(contents)) {
    it(what, () =>
      inPlace(async (place) => {
        writeFileSync(fileOf(place), content);
        const { code, stdout, stderr } = await place.run(PROGRAM);
        assert.deepEqual([code, stderr], [0, ""]);
        assert.deepEqual(JSON.parse(stdout), { rebooted: true });
        assert.ok(!existsSync(fileOf(place)));
      }),
    );
  }

  it("more than fits into memory", () =>
    inPlace(async (place) => {
      writeFileSync(fileOf(place), "{");
      truncateSync(fileOf(place), 3 * 1024 ** 3);
      const { code, stdout } = await place.run(PROGRAM);
      assert.deepEqual([code, JSON.parse(stdout)], [0, { rebooted: true }]);
    }));
});

it("a pipe or a link in its place is refused, and nothing is written through it", () =>
  inPlace(async (place) => {
    const other = join(place.work, "other");
    writeFileSync(other, "mine\n");
    symlinkSync(other, fileOf(place));
    const linked = await place.run(PROGRAM);
    assert.match(linked.stderr, /ELOOP/);
    assert.equal(readFileSync(other, "utf8"), "mine\n");
    execFileSync("sh", ["-c", 'rm "$0" && mkfifo "$0"', fileOf(place)]);
    const piped = await place.run(PROGRAM);
    assert.match(piped.stderr, /E(?:NXIO|FTYPE)/);
    assert.deepEqual([linked.code, piped.code], [1, 1]);
  }));
