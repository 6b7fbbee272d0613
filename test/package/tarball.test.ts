// What the tarball holds that is published.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { isFromSources, repository } from "../support/package-under-test.ts";
import { run } from "../support/run.ts";

describe("the tarball", { skip: isFromSources && "takes a build: npm test" }, () => {
  const directory = mkdtempSync(join(tmpdir(), "atexit-tarball-"));
  let tarball: string;
  /** What npm says that the tarball holds. */
  let packed: { filename: string; files: { path: string }[] };

  before(async () => {
    const pack = await run("npm", ["pack", "--json", "--pack-destination", directory], { cwd: repository });
    packed = JSON.parse(pack.stdout)[0];
    tarball = join(directory, packed.filename);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  const contentOf = async (path: string) => (await run("tar", ["-xzOf", tarball, path])).stdout;

  it("holds the manifest, the readme, the licence and dist, and nothing else", () => {
    const paths = packed.files.map(({ path }) => path);
    assert.deepEqual([...new Set(paths.map((path) => path.split("/")[0]))].sort(), [
      "LICENSE",
      "README.md",
      "dist",
      "package.json",
    ]);
    const strangers = paths.filter(
      (path) => path.startsWith("dist/") && !/(?<!\.test)\.(?:c?js|css|d\.c?ts)$/.test(path),
    );
    assert.deepEqual(strangers, []);
    assert.ok(paths.includes("dist/index.js"));
    assert.ok(paths.includes("dist/index.d.ts"));
    for (const file of ["index.cjs", "index.d.cts", "atexit-helper.cjs"])
      assert.ok(paths.includes(`dist/${file}`), file);
  });

  it("depends on nothing, and runs nothing when it is installed", async () => {
    const manifest = JSON.parse(await contentOf("package/package.json"));
    for (const kind of ["dependencies", "optionalDependencies", "peerDependencies", "bundleDependencies"]) {
      assert.deepEqual(Object.keys(manifest[kind] ?? {}), [], kind);
    }
    const scripts = Object.keys(manifest.scripts ?? {});
    assert.deepEqual(
      scripts.filter((name) => /install$|^prepare$/.test(name)),
      [],
    );
  });

  it("has nothing that publint could suggest", async () => {
    const bytes = readFileSync(tarball);
    const { messages, pkg } = await publint({
      pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
      level: "suggestion",
      strict: true,
    });
    assert.equal(pkg["name"], "atexit");
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg)),
      [],
    );
  });

  it("has types that are right for every way to import it", async () => {
    const { code, stdout, stderr } = await run(join(repository, "node_modules/.bin/attw"), [
      tarball,
      "--format",
      "ascii",
    ]);
    assert.equal(code, 0, stdout + stderr);
    for (const entry of [
      "atexit",
      "atexit/durable",
      "atexit/resources",
      "atexit/app",
      "atexit/scope",
      "atexit/lease",
      "atexit/keeper",
      "atexit/postgres",
      "atexit/etcd",
      "atexit/kubernetes",
    ]) {
      const [, rows = ""] = stdout.split(`"${entry}"\n`);
      const [table] = rows.split("***");
      assert.match(
        table ?? "",
        /^\s*node10: \S+ \nnode16 \(from CJS\): .*\(CJS\)\nnode16 \(from ESM\): .*\(ESM\)\n/,
        entry,
      );
    }
  });
});
