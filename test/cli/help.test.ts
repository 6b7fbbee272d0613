// atexit --help, --version and completion.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { manifest } from "../support/package-under-test.ts";
import { atexit, inPlace } from "../support/place.ts";

test("--version, and help for all and for each, on stdout", () =>
  inPlace(async (place) => {
    assert.equal((await atexit(place, ["--version"])).stdout, `${manifest.version}\n`);
    const all = await atexit(place, ["--help"]);
    for (const [, name] of all.stdout.matchAll(/^ {2}atexit ([a-z]+) /gm)) {
      const { code, stdout, stderr } = await atexit(place, [name as string, "--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.ok(stdout.startsWith(`atexit ${name}`), stdout);
      assert.ok(stdout.split("\n").every((line) => line.length <= 88));
    }
    assert.match((await atexit(place, ["run", "--", "sh", "-c", "echo $0", "--help"])).stdout, /^--help$/m);
    assert.equal((await atexit(place, [])).code, 2);
  }));

test("completions offer the commands and their options", () =>
  inPlace(async (place) => {
    const bash = join(place.work, "bash");
    writeFileSync(bash, (await atexit(place, ["completion", "bash"])).stdout);
    const offered = (words: string, at: number) =>
      spawnSync(
        "bash",
        ["-c", `source ${bash}; COMP_WORDS=(${words}); COMP_CWORD=${at}; _atexit; echo "\${COMPREPLY[@]}"`],
        { encoding: "utf8" },
      ).stdout.trim();
    assert.equal(offered("atexit re", 1), "recover report");
    assert.equal(offered("atexit run --te", 2), "--temp-dir");
    for (const shell of ["zsh", "fish"]) {
      assert.match((await atexit(place, ["completion", shell])).stdout, /on-exit/);
    }
  }));
