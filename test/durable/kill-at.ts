// Preloaded into a program: kills it at the nth change that it makes to a file,
// or start of a process; `before` the change, or when it is `torn`, half done.
//
//   KILL_AT=7 KILL=before node --import kill-at.js program.mjs
//
// Without KILL_AT it writes into the file COUNT how many such points there are.

import childProcess from "node:child_process";
import fs from "node:fs";

type Call = (...args: unknown[]) => unknown;

const { KILL_AT, KILL, COUNT } = process.env;
const original = { writeSync: fs.writeSync, appendFileSync: fs.appendFileSync };
let calls = 0;

function instead(holder: object, name: string): void {
  const functions = holder as Record<string, Call>;
  const call = functions[name] as Call;
  functions[name] = (...args) => {
    calls += 1;
    if (calls === Number(KILL_AT)) {
      if (KILL === "torn") tear(name, args);
      process.kill(process.pid, "SIGKILL");
      for (;;); // it is dead before it comes here a second time
    }
    return call.apply(holder, args);
  };
}

/** Half of what is written arrives. */
function tear(name: string, args: unknown[]): void {
  if (name === "writeSync" && typeof args[1] === "string") {
    original.writeSync(args[0] as number, args[1].slice(0, args[1].length >> 1));
  }
  if (name === "writeFileSync" && typeof args[0] === "string") {
    const text = String(args[1]);
    original.appendFileSync(args[0], text.slice(0, text.length >> 1), { mode: 0o600 });
  }
}

for (const name of "openSync writeSync writeFileSync ftruncateSync renameSync unlinkSync rmSync rmdirSync".split(" ")) {
  instead(fs, name);
}
instead(childProcess, "spawn");

if (COUNT !== undefined) process.on("exit", () => original.appendFileSync(COUNT, String(calls)));
