// exec() is carried out only on what was registered: in the process when it ends,
// and by the guard when it was killed.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { begun, hasEnded, letGo, pidsIn, replayBegun, runsIn, UNTIL_GO } from "../../support/begun.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { endIfThere, isAlive } from "../../support/processes.ts";
import { linesOf, until } from "../../support/run.ts";
import { everythingIn, program, reasonsIn, SIGKILL } from "./program.ts";

describe("exec", () => {
  const dangerous = ["$(touch y)", "; touch y", "`touch y`", "&& touch y", '"', "'", "\\", "*", "", " ", "\n"];
  for (const [how, end] of [
    ["in the process", ""],
    ["by the guard", SIGKILL],
  ] as const) {
    test(`arguments arrive as they are, in the directory and environment that were given: ${how}`, () =>
      inPlace(async (place) => {
        const script = `require("node:fs").writeFileSync("seen", JSON.stringify([process.argv.slice(1), process.cwd(), process.env.GIVEN]))`;
        const body = `fs.mkdirSync(at("inner"));
          exec(process.execPath, ["-e", ${JSON.stringify(script)}, "--", ...${JSON.stringify(dangerous)}], { cwd: at("inner"), env: { GIVEN: "$HOME" } });`;
        const { stderr } = await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(
          JSON.parse(readFileSync(join(place.work, "inner/seen"), "utf8")),
          [dangerous, join(place.work, "inner"), "$HOME"],
          stderr,
        );
        assert.deepEqual(everythingIn(place.work), ["inner", "inner/seen"]);
      }));

    test(`one that fails, hangs or does not exist stops nothing else: ${how}`, () =>
      inPlace(async (place) => {
        const body = `
          exec("touch", [at("last")]);
          exec("no-such-command");
          exec("/bin/sh", ["-c", "echo because >&2; exit 3"]);
          exec("/bin/sh", ["-c", 'echo $$ >>"$WORK/pids"; sleep 300 & echo $! >>"$WORK/pids"; wait'], { timeout: 300 });
          exec("touch", [at("first")]);`;
        const { code, stderr } = await place.run(program(body, end));
        await place.quiet();
        assert.deepEqual(everythingIn(place.work), ["first", "last", "pids"]);
        assert.deepEqual(
          linesOf(join(place.work, "pids")).map(Number).filter(isAlive),
          [],
          "the time limit ends all of it",
        );
        const told = end === "" ? stderr : reasonsIn(place);
        const why = end === "" ? "could not be started: spawn no-such-command ENOENT" : "there was no such program";
        assert.match(told, new RegExp(`exec no-such-command .*${why}`));
        assert.match(told, /exec \/bin\/sh ended with status 3:\s+because/);
        assert.match(told, /exec \/bin\/sh had not ended after 300 ms/);
        if (end === "") assert.equal(code, 1);
        else await place.recover(); // the failed ones are tried again, and nothing else
      }));
  }

  test("the guard gives it no variable that was another one at registration", () =>
    inPlace(async (place) => {
      const show = 'exec("/bin/sh", ["-c", \'echo "$OTHER" >"$OUT"\'], { env: { OUT: at("seen") } });';
      for (const [change, seen] of [
        ["", "before"],
        ['process.env.OTHER = "after";', ""],
      ] as const) {
        await place.run(program(`remove(at("x")); ${change} ${show}`, SIGKILL), { env: { OTHER: "before" } });
        await place.quiet();
        assert.deepEqual(linesOf(join(place.work, "seen")), [seen]);
      }
    }));

  describe("one that was begun by its owner, which was killed", () => {
    const optionsFor = ({ work }: Place, timeout: number) => JSON.stringify({ env: { WORK: work }, timeout });

    /** Runs a program that is killed in the command that it runs at its end. */
    const killedInCommand = (place: Place, timeout: number, env: Record<string, string> = {}) =>
      place.run(program(`exec("/bin/sh", ["-c", ${JSON.stringify(UNTIL_GO)}], ${optionsFor(place, timeout)});`, ""), {
        env,
        act: async (child) => {
          await begun(place);
          child.kill("SIGKILL");
          await hasEnded(child);
        },
      });

    test("the guard waits for it, and does not run it again", () =>
      inPlace(async (place) => {
        await killedInCommand(place, 60_000);
        await replayBegun(place);
        letGo(place);
        await place.quiet();
        assert.deepEqual(runsIn(place), ["start", "end"]);
        assert.deepEqual(
          place.log().map(({ outcome }) => outcome),
          ["done"],
        );
        assert.deepEqual(place.left(), []);
      }));

    test("it is ended when its time is over", () =>
      inPlace(async (place) => {
        await killedInCommand(place, 2_000);
        await place.quiet();
        assert.deepEqual(runsIn(place), ["start"]);
        assert.deepEqual(pidsIn(place).filter(isAlive), []);
        assert.match(reasonsIn(place), /exec \/bin\/sh had not ended after 2000 ms/);
      }));

    test("where its time was over before, it is not run again", () =>
      inPlace(async (place) => {
        const script = `trap 'echo end >>"$WORK/runs"' TERM; echo start $$ >>"$WORK/runs"; while :; do sleep 0.02; done`;
        await place.run(program(`exec("/bin/sh", ["-c", ${JSON.stringify(script)}], ${optionsFor(place, 300)});`, ""), {
          act: async (child) => {
            await until(() => runsIn(place).includes("end"));
            child.kill("SIGKILL");
            await hasEnded(child);
          },
        });
        await place.quiet();
        assert.deepEqual(runsIn(place).filter((line) => line === "start").length, 1);
        assert.deepEqual(pidsIn(place).filter(isAlive), []);
        assert.match(reasonsIn(place), /exec \/bin\/sh had not ended after 300 ms/);
        assert.deepEqual(
          place
            .log()
            .map(({ title }) => title)
            .filter((title) => !title.startsWith("exec")),
          [],
        );
      }));

    test("where it is gone as well, it is run again", () =>
      inPlace(async (place) => {
        await killedInCommand(place, 60_000, { ATEXIT_GUARD: "off" });
        const [pid] = pidsIn(place) as [number];
        endIfThere(pid);
        await until(() => !isAlive(pid));
        letGo(place);
        await place.recover();
        assert.deepEqual(runsIn(place), ["start", "start", "end"]);
        assert.deepEqual(place.left(), []);
      }));
  });

  const notRoot = process.getuid?.() !== 0 && "needs root";

  test("a directory on its way that somebody else has put there is not gone through", { skip: notRoot }, () =>
    inPlace(async (place) => {
      const body = `process.umask(0); fs.mkdirSync(at("open/d"), { recursive: true }); fs.chmodSync(at("open/d"), 0o755);
        fs.writeFileSync(at("open/d/script"), '#!/bin/sh\\n. "$(dirname "$0")/part"', { mode: 0o755 });
        fs.writeFileSync(at("open/d/part"), 'echo meant >"$OUT"');
        exec(at("open/d/script"), [], { env: { OUT: at("seen") } });`;
      const at = (name: string) => join(place.work, name);
      await place.run(program(body, SIGKILL), { env: { ATEXIT_GUARD: "off" } });
      renameSync(at("open/d"), at("open/was"));
      mkdirSync(at("open/evil"));
      symlinkSync("../was/script", at("open/evil/script"));
      writeFileSync(at("open/evil/part"), 'echo theirs >"$OUT"');
      symlinkSync("evil", at("open/d"));
      await place.recover();
      assert.deepEqual(linesOf(at("seen")), []);
      assert.match(reasonsIn(place), /script is not what was registered, and anybody can replace/);
    }),
  );
});
