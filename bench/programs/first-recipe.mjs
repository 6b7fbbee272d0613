// Prints how long the first recipe blocks, in milliseconds; or, with an
// argument, one bare spawn of a shell that waits at a pipe.

import { remove } from "atexit/durable";

const path = `${process.env.ATEXIT_DIR}/../nothing`;
const start = process.hrtime.bigint();
if (process.argv[2] === "bare") {
  const { spawn } = process.getBuiltinModule("child_process");
  const shell = spawn("/bin/sh", ["-c", "read _"], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  shell.unref();
  shell.stdin.unref();
} else {
  remove(path);
}
console.log(Number(process.hrtime.bigint() - start) / 1e6);
