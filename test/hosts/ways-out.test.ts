// Every way out of the table of exits in Bun and Deno, beside the same runtime
// without the package, and what is known not to hold there.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { EXPECTED_LOG } from "../../src/tour/libraries.ts";
import { startAndEnd } from "../../src/tour/start.ts";
import { repository, tourPrograms } from "../support/package-under-test.ts";
import { forEachSideBySide } from "../support/run.ts";
import { EXCEPTIONS, exceptionFor, render, RUNTIMES, WAYS } from "./bun-and-deno.ts";
import { bun, deno } from "./hosts.ts";

const WIDTH = 4;

process.env["NO_COLOR"] = "1";
process.env["DENO_NO_UPDATE_CHECK"] = "1";

const directory = mkdtempSync(join(tmpdir(), "atexit-runtimes-"));
after(() => rmSync(directory, { recursive: true, force: true }));

// One command, as a way out starts it.
const denoAllowed = join(directory, "deno");
writeFileSync(denoAllowed, `#!/bin/sh\nexec ${deno} run -A "$@"\n`);
chmodSync(denoAllowed, 0o755);

const COMMANDS = { Bun: bun, Deno: denoAllowed };

/** How often a way out is taken without this package, at most, to see it end as it did with it. */
const MOST_TRIES = 8;

for (const runtime of RUNTIMES) {
  describe(runtime, () => {
    test("gets through all that is not excepted, and through nothing that is", async () => {
      const wrong: string[] = [];
      const available = WAYS.filter(([way]) => way.available?.() !== false);
      await forEachSideBySide(available, WIDTH, async ([way, modes]) => {
        const tried = modes.filter((mode) => exceptionFor(runtime, way, mode)?.isUntried !== true);
        if (tried.length === 0) return;
        const node = COMMANDS[runtime];
        const withoutIt = async () => way.status ?? (await startAndEnd(way, "none", "sync", node, tourPrograms)).status;
        const bare = await withoutIt();
        for (const mode of tried) {
          const { log, status, leftByGuard: left, stderr } = await startAndEnd(way, "atexit", mode, node, tourPrograms);
          // A runtime that ends now so and now so, alone, may end in either way.
          let isStatusKept = status === bare;
          for (let tries = 1; !isStatusKept && tries <= MOST_TRIES; tries += 1) {
            isStatusKept = status === (await withoutIt());
          }
          const isKept = log.join() === EXPECTED_LOG.join() && isStatusKept && left.length === 0;
          if (isKept === (exceptionFor(runtime, way, mode) === undefined)) continue;
          const { before, after: rest } = stderr;
          wrong.push(`${way.name}, ${mode}: ${log.join()}; ${status}, bare ${bare}; left ${left}; ${before}${rest}`);
        }
      });
      assert.deepEqual(wrong, []);
    });
  });
}

test("docs/bun-and-deno.md has the table of it", () => {
  const names = new Set(WAYS.map(([{ name }]) => name));
  for (const name of EXCEPTIONS.flatMap(({ ways }) => ways)) assert.ok(names.has(name), name);
  const text = readFileSync(join(repository, "docs/bun-and-deno.md"), "utf8");
  assert.ok(text.includes(`\n\n${render()}\n`), `It should have:\n\n${render()}`);
});
