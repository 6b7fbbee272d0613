// What actions() and plant() refuse before they ask an engine.

import assert from "node:assert/strict";
import { it } from "node:test";
import { actions, keeper, plant } from "../../src/keeper/index.ts";
import { kubernetes } from "../../src/kubernetes/index.ts";
import { postgres } from "../../src/postgres/index.ts";

const engine = postgres({ query: () => Promise.reject(new Error("it is not to be asked")) });
const cleanups = actions({ note: (_: string) => {} });

it("actions() refuses what is no function, no name, or no module", () => {
  const refused = { code: "ERR_ATEXIT_OPTION" };
  assert.throws(() => actions({ note: "text" as never }), refused);
  assert.throws(() => actions({ "": () => {} }), refused);
  assert.throws(() => actions({ ["x".repeat(257)]: () => {} }), refused);
  assert.throws(() => actions({ note: () => {} }, { module: "./cleanups.js" }), refused);
  assert.throws(() => actions({ note: () => {} }, { check: { other: {} } as never }), refused);
  assert.throws(() => actions({ note: () => {} }, { secret: "" }), refused);
});

it("actions() returns functions that do what they were given", () => {
  const { add } = actions({ add: (a: number, b: number) => a + b });
  assert.equal(add(1, 2), 3);
});

it("plant() refuses what is no action, no JSON, too long, or for no engine that keeps recipes", async () => {
  const { note } = cleanups;
  await assert.rejects(
    plant(engine, (what: string) => what, "x"),
    { code: "ERR_ATEXIT_ACTION" },
  );
  await assert.rejects(plant(engine, note, (() => {}) as never), { code: "ERR_ATEXIT_JSON" });
  await assert.rejects(plant(engine, note, "x".repeat(70_000)), { code: "ERR_ATEXIT_RECIPES" });
  await assert.rejects(plant({} as never, note, "x"), { code: "ERR_ATEXIT_OPTION" });
  const api = { readNamespacedLease() {}, createNamespacedLease() {}, replaceNamespacedLease() {} };
  await assert.rejects(plant(kubernetes(api as never), note, "x"), {
    code: "ERR_ATEXIT_RECIPES",
    message: /ownerReferences/,
  });
});

it("keeper() refuses options and modules that make no sense", async () => {
  const here = import.meta.url;
  await assert.rejects(keeper(engine, "cleanups.js"), { code: "ERR_ATEXIT_OPTION" });
  await assert.rejects(keeper(engine, here, { tries: 0 }), { code: "ERR_ATEXIT_OPTION" });
  await assert.rejects(keeper(engine, here, { concurrency: 1.5 }), { code: "ERR_ATEXIT_OPTION" });
  await assert.rejects(keeper(engine, here, { timeout: -1 }), { code: "ERR_ATEXIT_TIME" });
  await assert.rejects(keeper(engine, new URL("./none.js", here)), { code: "ERR_MODULE_NOT_FOUND" });
});
