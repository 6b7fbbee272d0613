// The layers of the sources: that lint refuses what breaks them.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/package-under-test.ts";
import { run, withDirectory } from "../support/run.ts";

const CRUISER = join(repository, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");

/** Runs the rules on a copy of the sources, with a line more in a file. */
async function cruise(file?: string, line?: string): Promise<{ code: number | null; stdout: string }> {
  return withDirectory(async (directory) => {
    for (const part of ["src", ".dependency-cruiser.cjs", "package.json"]) {
      cpSync(join(repository, part), join(directory, part), { recursive: true });
    }
    symlinkSync(join(repository, "node_modules"), join(directory, "node_modules"));
    if (file !== undefined) appendFileSync(join(directory, file), `\n${line}\n`);
    return run(process.execPath, [CRUISER, "src"], { cwd: directory });
  });
}

test("the sources keep to their layers", async () => {
  const { code, stdout } = await cruise();
  assert.equal(code, 0, stdout);
});

for (const [what, file, line, rule] of [
  [
    "an import from a layer below",
    "src/registry/stack.ts",
    'import "../execution/shutdown.ts";',
    "registry-imports-nothing-below-it",
  ],
  [
    "an import of a type from a layer below",
    "src/platform/signal-list.ts",
    'export type { Settings } from "../settings/settings.ts";',
    "platform-imports-nothing-below-it",
  ],
  [
    "a circle of types within a layer",
    "src/registry/stack.ts",
    'export type { IndexByFunction } from "./function-index.ts";',
    "no-circular",
  ],
  ["a dependency at run time", "src/cli/main.ts", 'import "esbuild";', "no-dependency-at-run-time"],
] as const) {
  test(`lint refuses ${what}`, async () => {
    const { code, stdout } = await cruise(file, line);
    assert.notEqual(code, 0);
    assert.match(stdout, new RegExp(rule));
  });
}
