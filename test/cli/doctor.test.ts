// atexit doctor.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/package-under-test.ts";
import { atexit, inPlace } from "../support/place.ts";

test("doctor: tries what there is, and says what to do where something is not covered", () =>
  inPlace(async (place) => {
    const healthy = await atexit(place, ["doctor"]);
    assert.equal(healthy.code, 0, healthy.stdout);
    assert.match(healthy.stdout, /^ok {7}guard: carries out within \d+ ms of SIGKILL$/m);
    assert.match(healthy.stdout, new RegExp(`^ok {7}journal directory: ${place.journals}, mode 0700$`, "m"));
    chmodSync(place.journals, 0o755);
    const loose = await atexit(place, ["doctor"]);
    chmodSync(place.journals, 0o700);
    assert.equal(loose.code, 1);
    assert.match(loose.stdout, /^problem {2}journal directory: .*\n +→ Set ATEXIT_DIR/m);
    const empty = join(place.work, "empty");
    mkdirSync(empty);
    const env = { ...place.environment, PATH: empty, ATEXIT_GUARD: "off", TERMINATION_GRACE_PERIOD_SECONDS: "5" };
    const poor = JSON.parse((await atexit(place, ["doctor", "--json"], { env })).stdout) as Record<
      string,
      { is: string }
    >;
    assert.deepEqual([poor["kernel locks"]?.is, poor["guard"]?.is, poor["shell"]?.is], ["note", "note", "ok"]);
  }));

test("doctor: names a project's own dependencies that this package stands in for, and a page for each", () =>
  inPlace(async (place) => {
    const found = async () => {
      const { stdout } = await atexit(place, ["doctor", "--json"], { cwd: place.work });
      return (JSON.parse(stdout) as Record<string, { is: string; found: string; advice?: string }>)["other libraries"];
    };
    assert.equal((await found())?.is, "ok");
    for (const manifest of ["not JSON", "null", '{"dependencies":3}']) {
      writeFileSync(join(place.work, "package.json"), manifest);
      assert.equal((await found())?.is, "ok", manifest);
    }
    const manifest = {
      dependencies: { "signal-exit": "4", express: "5", "@godaddy/terminus": "4" },
      devDependencies: { tmp: "0.2.7" },
    };
    writeFileSync(join(place.work, "package.json"), JSON.stringify(manifest));
    const { is, found: names, advice = "" } = (await found()) ?? {};
    assert.deepEqual([is, names], ["note", "signal-exit, tmp, @godaddy/terminus"]);
    const pages = advice.match(/docs\/from\/[\w-]+\.md/g) ?? [];
    assert.equal(pages.length, 3);
    for (const page of pages) assert.ok(existsSync(join(repository, page)), page);
  }));
