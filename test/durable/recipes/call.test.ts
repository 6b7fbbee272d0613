// call() is carried out only on what was registered: in the process when it ends,
// and by the guard when it was killed.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inPlace } from "../../support/place.ts";
import { linesOf, statusOf } from "../../support/run.ts";
import { everythingIn, program, reasonsIn, SIGKILL } from "./program.ts";

describe("call", () => {
  const fixtures: Readonly<Record<string, string>> = {
    "esm.mjs":
      'import fs from "node:fs"; export function note(...args) { fs.appendFileSync(process.env.WORK + "/seen", JSON.stringify(args) + "\\n"); }',
    "common.cjs":
      'exports.note = (...args) => require("node:fs").appendFileSync(process.env.WORK + "/seen", JSON.stringify(args) + "\\n");',
    "typed.strange":
      'import fs from "node:fs"; export async function note(...args) { await null; fs.appendFileSync(process.env.WORK + "/seen", JSON.stringify(args) + "\\n"); }',
    "bad.mjs":
      'export function fail() { throw new Error("as it must"); } export const hang = () => new Promise(() => setInterval(() => {}, 1_000)); export const crash = () => process.abort();',
    // A loader for modules that Node itself does not know, as that of TypeScript is.
    "loader.mjs": `import { register } from "node:module";
      register("data:text/javascript," + encodeURIComponent('export const load = async (url, context, next) => url.endsWith(".strange") ? { ...(await next(url, { ...context, format: "module" })), format: "module", shortCircuit: true } : next(url, context);'));`,
  };
  const write = `const fixtures = ${JSON.stringify(fixtures)};
    fs.mkdirSync(at("modules")); for (const [name, text] of Object.entries(fixtures)) fs.writeFileSync(at("modules/" + name), text);`;
  for (const [how, end] of [
    ["in the process", ""],
    ["by the guard", SIGKILL],
  ] as const) {
    test(`ES modules, CommonJS, and what a loader makes one of: ${how}`, () =>
      inPlace(async (place) => {
        const body = `${write}
          call(pathToFileURL(at("modules/esm.mjs")), "note", 1, "zwei", [null, true], { four: 4.5 });
          call(at("modules/common.cjs"), "note", "common");
          call(pathToFileURL(at("modules/typed.strange")).href, "note", "typed");`;
        // The loader is told of twice: by an option, and by NODE_OPTIONS.
        mkdirSync(join(place.work, "..", "loader"));
        const loader = join(place.work, "..", "loader", "loader.mjs");
        writeFileSync(loader, fixtures["loader.mjs"] as string);
        for (const options of [
          { nodeOptions: ["--import", loader] },
          { env: { NODE_OPTIONS: `--import ${loader}` } },
        ]) {
          const { stderr } = await place.run(program(body, end), options);
          await place.quiet();
          assert.deepEqual(
            linesOf(join(place.work, "seen")),
            ['["typed"]', '["common"]', '[1,"zwei",[null,true],{"four":4.5}]'],
            stderr + JSON.stringify(place.log()),
          );
          rmSync(join(place.work, "modules"), { recursive: true });
          rmSync(join(place.work, "seen"));
        }
      }));

    test(`one that throws, crashes, or is not there stops nothing else: ${how}`, () =>
      inPlace(async (place) => {
        const body = `${write}
          call(at("modules/esm.mjs"), "note", "last");
          for (const name of ["fail", "crash", "missing"]) call(at("modules/bad.mjs"), name);
          call(at("modules/nowhere.mjs"), "note");
          call(at("modules/esm.mjs"), "note", "first");`;
        const { code, stderr } = await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(linesOf(join(place.work, "seen")), ['["first"]', '["last"]'], stderr);
        const told = end === "" ? stderr : reasonsIn(place);
        for (const part of [/as it must/, /ended by SIGABRT/, /exports no function "missing"/, /nowhere\.mjs/]) {
          assert.match(told, part);
        }
        if (end === "") assert.equal(statusOf({ code, signal: null }), "1");
      }));
  }

  test("NODE_OPTIONS that name what is gone disturb no other recipe", () =>
    inPlace(async (place) => {
      const preload = join(place.work, "..", "preload.cjs");
      writeFileSync(preload, "");
      const body = `${write}
        remove(at("modules"));
        call(at("modules/esm.mjs"), "note", "never");
        fs.unlinkSync(${JSON.stringify(preload)});`;
      await place.run(program(body, SIGKILL), { env: { NODE_OPTIONS: `--require ${preload}` } });
      await place.quiet();
      assert.deepEqual(
        place.log().map(({ outcome }) => outcome),
        ["left alone", "done"],
      );
      assert.deepEqual(everythingIn(place.work), []);
    }));

  test("what options have Node load before it must be what it was, too", () =>
    inPlace(async (place) => {
      const at = (name: string) => join(place.work, name);
      const theirs = 'import fs from "node:fs"; fs.writeFileSync(process.env.OUT, "theirs");';
      mkdirSync(at("open"));
      chmodSync(at("open"), 0o777);
      for (const [options, nodeOptions] of [
        ["", `--import ${at("open/loader.mjs")}`],
        [`--import=${at("open/loader.mjs")}`, ""],
        ["", `--require "${at("open/with space.cjs")}"`],
      ] as const) {
        for (const name of ["loader.mjs", "with space.cjs"]) writeFileSync(at(`open/${name}`), "");
        const body = `fs.writeFileSync(at("module.mjs"), "export function f() {}"); call(at("module.mjs"), "f");`;
        await place.run(program(body, SIGKILL), {
          nodeOptions: options === "" ? [] : [options],
          env: { ATEXIT_GUARD: "off", NODE_OPTIONS: nodeOptions },
        });
        for (const name of ["loader.mjs", "with space.cjs"]) {
          rmSync(at(`open/${name}`));
          writeFileSync(at(`open/${name}`), name.endsWith("mjs") ? theirs : "process.exit()");
        }
        await place.recover({ env: { OUT: at("seen") } });
        assert.deepEqual(linesOf(at("seen")), []);
        assert.match(reasonsIn(place).split("\n").at(-1) ?? "", /is not what was registered, and anybody can replace/);
      }
    }));
});
