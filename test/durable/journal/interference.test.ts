// What a program, or somebody else, does to the journal of a live process: no recipe
// is lost without a word, and no file of the program's is taken for the journal.

import assert from "node:assert/strict";
import { chownSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { everythingIn, program, SIGKILL } from "../recipes/program.ts";
import { inPlace } from "../../support/place.ts";

const USER = 12_345;
const notRoot = process.getuid?.() !== 0 && "needs root";

/** Gives the numbers of the journal's descriptors to files of the program's own. */
const TAKE_DESCRIPTORS = `
  for (const number of fs.readdirSync("/proc/self/fd").map(Number)) {
    let file;
    try { file = fs.readlinkSync("/proc/self/fd/" + number); } catch { continue; }
    if (!file.startsWith(process.env.ATEXIT_DIR)) continue;
    fs.closeSync(number);
    while (fs.openSync(at("own"), "a+") !== number);
  }`;

for (const [who, become, skip] of [
  ["root", "", notRoot],
  ["a user", `process.setuid(${USER});`, notRoot],
] as const) {
  for (const [how, end] of [
    ["that ends", ""],
    ["that is killed", SIGKILL],
  ] as const) {
    test(`descriptors that a program ${how} has closed, and uses for its own files: as ${who}`, { skip }, () =>
      inPlace(async (place) => {
        for (const path of [place.work, place.journals, join(place.work, "..")]) {
          if (become !== "") chownSync(path, USER, USER);
        }
        const body = `${become}
          for (const name of ["a", "b", "c"]) fs.writeFileSync(at(name), "");
          fs.writeFileSync(at("own"), "own");
          const a = remove(at("a"));
          remove(at("b"));
          ${TAKE_DESCRIPTORS}
          a.cancel();
          remove(at("c"));`;
        const { stderr } = await place.run(program(body, end), { env: { ATEXIT_GUARD: "off" } });
        if (end !== "") {
          const recovers = `import { recover } from "atexit/durable"; ${become} await recover();`;
          await place.run(recovers, { env: { ATEXIT_GUARD: "off" } });
        }
        assert.deepEqual(everythingIn(place.work), ["a", "own"], stderr);
        assert.equal(readFileSync(join(place.work, "own"), "utf8"), "own");
        assert.deepEqual(place.left(), []);
      }),
    );
  }
}

for (const [what, change] of [
  ["removed", "fs.unlinkSync(journal)"],
  ["emptied", "fs.truncateSync(journal, 0)"],
  ["cut off", "fs.truncateSync(journal, fs.statSync(journal).size - 20)"],
  ["cut off by less than a guard's line", "fs.truncateSync(journal, fs.statSync(journal).size - 10)"],
  ["moved", 'fs.renameSync(journal, journal + ".moved")'],
  ["moved with its directory", 'fs.renameSync(process.env.ATEXIT_DIR, process.env.WORK + "/../moved")'],
  ["replaced", 'fs.writeFileSync(journal + ".other", ""); fs.renameSync(journal + ".other", journal)'],
] as const) {
  test(`a journal that somebody has ${what} is written anew with the next recipe, and that is said`, () =>
    inPlace(async (place) => {
      const body = `for (const name of ["a", "b"]) fs.writeFileSync(at(name), "");
        remove(at("a"));
        const [name] = fs.readdirSync(process.env.ATEXIT_DIR).filter((file) => file.endsWith(".jsonl"));
        const journal = process.env.ATEXIT_DIR + "/" + name;
        ${change};
        remove(at("b"));`;
      const { stderr } = await place.run(program(body, SIGKILL));
      await place.quiet();
      assert.deepEqual(everythingIn(place.work), []);
      assert.match(stderr, /somebody has (?:removed|shortened|changed|replaced) the journal .* it is written anew/);
    }));
}

test("a journal of which somebody has put an older state back is written anew: what was cancelled stays so", () =>
  inPlace(async (place) => {
    const body = `for (const name of ["a", "b"]) fs.writeFileSync(at(name), "");
      const a = remove(at("a"));
      remove(at("none"));
      const [name] = fs.readdirSync(process.env.ATEXIT_DIR).filter((file) => file.endsWith(".jsonl"));
      const journal = process.env.ATEXIT_DIR + "/" + name;
      const before = fs.readFileSync(journal);
      a.cancel();
      fs.writeFileSync(journal, before);
      remove(at("b"));`;
    const { stderr } = await place.run(program(body, SIGKILL));
    await place.quiet();
    assert.deepEqual(everythingIn(place.work), ["a"]);
    assert.match(stderr, /somebody has (?:shortened|changed) the journal .* it is written anew/);
  }));

for (const pending of [1, 2]) {
  test(`what was cancelled while no descriptor was left stays so, of ${pending} pending`, () =>
    inPlace(async (place) => {
      const body = `for (const name of ["a", "b"]) fs.writeFileSync(at(name), "");
        const a = remove(at("a"));
        if (${pending} === 2) remove(at("b"));
        await new Promise((resolve) => setTimeout(resolve, 50)); // the guard's start takes descriptors
        const opened = [];
        try {
          for (;;) opened.push(fs.openSync("/dev/null", "r"));
        } catch {}
        a.cancel();
        await new Promise(setImmediate);
        for (const fd of opened) fs.closeSync(fd);`;
      await place.run(program(body, SIGKILL));
      await place.quiet();
      assert.deepEqual(everythingIn(place.work), pending === 2 ? ["a"] : ["a", "b"]);
    }));
}
