// Who may write to the directory of journals, where access lists say so: on Windows.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { userInfo } from "node:os";
import { join, parse } from "node:path";
import { type TestContext, test } from "node:test";
import { isWindows, isWine, Place, withPowerShell } from "./on-this-system.ts";

/** A program that registers a recipe, and says what became of that. */
const REGISTERS = `
  const { remove } = await import("atexit/durable");
  try { remove("file").cancel(); say("taken"); } catch (error) { say(error.code); say(error.message); }
  process.exit();`;

const REFUSED = "ERR_ATEXIT_DIRECTORY";

/** A directory in the root of the system's drive, in nobody's profile; gone after the test. */
function outsideOfProfile(t: TestContext): string {
  const { root } = parse(process.env["SystemRoot"] ?? process.cwd());
  const path = mkdtempSync(join(root, "atexit-systems-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("a directory in the user's own profile is taken without a look", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  place.write("file");
  const program = place.start(withPowerShell('say("asked")') + REGISTERS);
  await program.ended();
  assert.deepEqual(program.lines, ["taken"], program.stderr);
});

test(
  "a directory in which others may write, or nobody knows who, takes no journals",
  { skip: !isWindows },
  async (t) => {
    const place = new Place(t);
    place.write("file");
    const outside = outsideOfProfile(t);
    for (const directory of [outside, join(outside, "new")]) {
      const program = place.start(REGISTERS, { ATEXIT_DIR: directory });
      await program.ended();
      assert.equal(program.lines[0], REFUSED, program.stdout + program.stderr);
      assert.match(program.stdout, /Authenticated Users|PowerShell does not tell/);
      assert.match(program.stdout, /own profile.*icacls/);
    }
    assert.ok(!existsSync(join(outside, "new")), "nothing is left of what was made to look at");
  },
);

test("what its access list says decides, once for a directory", { skip: !isWindows }, async (t) => {
  const place = new Place(t);
  place.write("file");
  const outside = outsideOfProfile(t);
  const ROOT = "O:SYD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;LC;;;AU)";
  for (const [own, above, said] of [
    ["O:S-1-5-21-1D:P(A;OICI;FA;;;S-1-5-21-1)", ROOT, "taken"],
    ["O:S-1-5-21-2D:P(A;OICI;FA;;;S-1-5-21-1)", ROOT, REFUSED],
    ["O:S-1-5-21-1D:(A;;0x1301bf;;;BU)", ROOT, REFUSED],
    ["O:S-1-5-21-1D:P(A;OICI;FA;;;S-1-5-21-1)", "O:SYD:P(A;;DT;;;WD)", REFUSED],
    ["O:S-1-5-21-1D:NO_ACCESS_CONTROL", ROOT, REFUSED],
    ["O:S-1-5-21-1D:P(A;OICI;FA;;;S-1-5-21-1)", "", REFUSED],
  ] as const) {
    const answer = `(looks(), ${JSON.stringify(["S-1-5-21-1", own, above, ""].join("\r\n"))})`;
    const counted = `const looks = () => say("look");${withPowerShell(answer)}${REGISTERS.replace("process.exit()", 'try { remove("file").cancel(); } catch {} $&')}`;
    const program = place.start(counted, { ATEXIT_DIR: outside, ATEXIT_GUARD: "off" });
    await program.ended();
    assert.deepEqual(program.lines.slice(0, 2), ["look", said], own + above + program.stdout + program.stderr);
    assert.equal(program.lines.filter((line) => line === "look").length, 1);
  }
});

test("a directory is taken that icacls has made this user's own", { skip: !isWindows || isWine }, async (t) => {
  const place = new Place(t);
  place.write("file");
  const own = join(outsideOfProfile(t), "own");
  mkdirSync(own);
  execFileSync("icacls", [own, "/inheritance:r", "/grant", `${userInfo().username}:(OI)(CI)F`]);
  const program = place.start(REGISTERS, { ATEXIT_DIR: own });
  await program.ended();
  assert.deepEqual(program.lines, ["taken"], program.stderr);
});
