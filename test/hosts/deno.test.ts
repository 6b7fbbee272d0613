import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Ended, run, statusOf } from "../../src/tour/run-process.ts";
import { deno, makeProject } from "./hosts.ts";

/** How a program leaves, in its own words. */
const WAYS_OUT = {
  "the natural end": "",
  "process.exit(3) in a timer": "setTimeout(() => process.exit(3), 5);",
  "process.exit(0) in a timer": "setTimeout(() => process.exit(0), 5);",
  "process.exit(4) at the top level": "process.exit(4);",
  "a throw in a timer": `setTimeout(() => { throw new Error("thrown"); }, 5);`,
  "a throw at the top level": `throw new Error("thrown");`,
  "a rejection": `Promise.reject(new Error("rejected"));`,
  SIGTERM: `setTimeout(() => {}, 20_000); process.kill(process.pid, "SIGTERM");`,
};

const CLEANUPS = `
if (process.argv[2] === "with") {
  const { register } = await import("atexit");
  register(() => console.log("first"));
  register(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log("second");
  });
}
`;

const project = makeProject();
writeFileSync(join(project, "package.json"), `{ "dependencies": { "atexit": "*" } }`);

function start(program: string, ...args: string[]): Promise<Ended> {
  const file = join(project, "program.mjs");
  writeFileSync(file, program);
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  return run(deno, ["run", "-A", file, ...args], { cwd: project, env });
}

for (const [name, leave] of Object.entries(WAYS_OUT)) {
  test(`In Deno both cleanups run to their end on ${name}, and its status and report stay Deno's own.`, async () => {
    const program = `${CLEANUPS}${leave}\n`;
    const bare = await start(program, "without");
    const ended = await start(program, "with");
    assert.equal(ended.stdout, "second\nfirst\n");
    assert.equal(statusOf(ended), statusOf(bare));
    assert.equal(ended.stderr, bare.stderr);
  });
}

test("In Deno an error that a listener of the program takes ends nothing.", async () => {
  const listen = `process.on("uncaughtException", (error) => console.log(error.message));`;
  const ended = await start(`${CLEANUPS}${listen}setTimeout(() => { throw new Error("thrown"); }, 5);`, "with");
  assert.equal(ended.stdout, "thrown\nsecond\nfirst\n");
  assert.equal(statusOf(ended), "0");
});
