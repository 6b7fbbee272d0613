// Several copies of the package in one process share one stack.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodes } from "./support/nodes.js";
import { runProgram } from "./support/program.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

for (const { line, path } of nodes) {
  test(`three copies share one stack, one shutdown and one signal (Node ${line})`, async () => {
    const directory = mkdtempSync(join(root, "build", "copies-"));
    try {
      for (const copy of ["a.mjs", "b.mjs", "c.mjs"]) copyFileSync(join(root, "dist/index.js"), join(directory, copy));
      const ended = await runProgram(
        `
        import assert from "node:assert/strict";
        const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => import(\`file://${directory}/\${name}.mjs\`)));
        assert.notEqual(a.register, b.register);
        const shared = () => console.log("never");
        a.register(() => console.log("1"));
        b.register(async () => console.log("2"));
        c.register(() => console.log("3"));
        b.register(shared);
        a.unregister(shared);
        assert.deepEqual([a.count(), b.count(), c.count()], [3, 3, 3]);
        assert.equal(process.listenerCount("SIGTERM"), 1);
        b.configure({ grace: 5_000 });
        assert.equal(c.configure({}).grace, 5_000);
        a.exiting.addEventListener("abort", () => console.log("a sees", a.exiting.reason.code));
        c.exiting.addEventListener("abort", () => console.log("c sees", c.exiting.reason.code));
        b.exit(4);`,
        { node: path },
      );
      assert.deepEqual([ended.stdout, ended.stderr, ended.code], ["a sees 4\nc sees 4\n3\n2\n1\n", "", 4]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
