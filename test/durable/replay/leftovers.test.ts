// Many journals of dead processes: they are looked at once, and not with each
// registration again.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writeJournal } from "../../support/journal.ts";
import { inPlace, type Place } from "../../support/place.ts";

const NO_GUARD = { ATEXIT_GUARD: "off" };

/** Leaves so many journals of one dead process, each with a file of its own to remove: `left-0`, `left-1`, … */
async function leave(place: Place, count: number): Promise<void> {
  const { signal, stderr } = await place.run(
    `import { remove } from "atexit/durable";
     remove(process.env.WORK + "/left-0.");
     process.kill(process.pid, "SIGKILL");`,
    { env: NO_GUARD },
  );
  assert.equal(signal, "SIGKILL", stderr);
  const [name = ""] = place.left();
  const text = readFileSync(join(place.journals, name), "utf8");
  rmSync(join(place.journals, name));
  for (let n = 0; n < count; n += 1) {
    const random = n.toString(16).padStart(8, "0");
    const journal = name.replace(/[0-9a-f]{8}(?=\.jsonl$)/, random);
    writeJournal(join(place.journals, journal), text.replaceAll("/left-0.", `/left-${n}`));
  }
}

test("registrations beside many leftovers look at none of them again, though the directory changes all the time", () =>
  inPlace(async (place) => {
    await leave(place, 100);
    const source = `
      import fs from "node:fs";
      import { remove } from "atexit/durable";
      const { ATEXIT_DIR, WORK } = process.env;
      remove(WORK + "/first");
      let looks = 0;
      for (const name of ["lstatSync", "openSync"]) {
        const original = fs[name];
        fs[name] = (path, ...others) => {
          if (/-0000[0-9a-f]{4}\\.jsonl$/.test(path)) looks += 1;
          return original(path, ...others);
        };
      }
      for (let n = 0; n < 10; n += 1) {
        fs.writeFileSync(ATEXIT_DIR + "/change-" + n, "");
        remove(WORK + "/own-" + n);
      }
      console.log(looks);
      process.exit();`;
    const { stdout, stderr } = await place.run(source, { env: NO_GUARD });
    assert.equal(stderr, "");
    assert.equal(stdout, "0\n");
  }));

test("the one that is about the same thing is found among many, and over when the registration returns", () =>
  inPlace(async (place) => {
    await leave(place, 100);
    const file = join(place.work, "left-42");
    const source = `
      import fs from "node:fs";
      import { remove } from "atexit/durable";
      const file = ${JSON.stringify(file)};
      remove(process.env.WORK + "/first");
      remove(file);
      const others = fs.readdirSync(process.env.ATEXIT_DIR).filter((name) => /-0000[0-9a-f]{4}\\.jsonl$/.test(name));
      fs.writeFileSync(file, "new");
      console.log(others.length, fs.existsSync(file));
      process.exit();`;
    const { stdout, stderr } = await place.run(source, { env: NO_GUARD });
    assert.equal(stderr, "");
    assert.equal(stdout, "99 true\n");
    assert.ok(!existsSync(file));
    assert.equal(readdirSync(place.work).length, 0);
  }));
