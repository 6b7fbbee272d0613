// What differs by system stands in one folder, and one file asks which system this is.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ASKS = "platform/this-system.ts";

/** The ways to ask for the name of the system: the process's, and those of node:os. */
const ASKING = /\bplatform\b[^;]*\}\s*=\s*process\b|\bprocess\s*\??\.\s*platform\b|\bos"?\)?\.(?:platform|type)\(\)/;

test("no source but one asks which system this is", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  const asking = sources.filter((path) => ASKING.test(readFileSync(join("src", path), "utf8")));
  assert.deepEqual(asking, [ASKS]);
});

test("what import loads has nothing of a system but what the ways out need", () => {
  const bundled = [...readFileSync("dist/index.js", "utf8").matchAll(/^\/\/ src\/platform\/(.*)$/gm)];
  const needless = ["proc.ts", "proc-environment.ts", "ps.ts", "mount-table.ts", "posix-path.ts", "darwin.ts"];
  const names = bundled.map(([, name = ""]) => name);
  assert.ok(names.includes("this-system.ts"));
  assert.deepEqual(
    needless.filter((name) => names.includes(name)),
    [],
  );
});
