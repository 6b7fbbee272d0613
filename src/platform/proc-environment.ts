// Linux: the environment and the command line of another process, as /proc tells them.

import { block } from "./block.ts";
import { builtin } from "./node-builtins.ts";
import { childOf, uptime } from "./proc.ts";

const fs = /* @__PURE__ */ builtin("fs");

/** How long after its start a process may be in the middle of execve(2), in milliseconds. */
const YOUNG = 100;

/** How often an environment that is not there yet is read, 0.25 ms apart. */
const TRIES = 20;

/** Returns an environment, read again where it is empty: in the middle of execve(2) a process has none. */
export function environmentOf(pid: number): string {
  const path = `/proc/${pid}/environ`;
  let environment = fs.readFileSync(path, "latin1");
  for (let tries = 0; environment === "" && tries < TRIES && isBeginning(pid); tries += 1) {
    block(0.25);
    environment = fs.readFileSync(path, "latin1");
  }
  if (environment !== "") return environment;
  // A first thread that has ended has none; those that go on without it do.
  const other = fs.readdirSync(`/proc/${pid}/task`).find((thread) => thread !== String(pid));
  return other === undefined ? "" : fs.readFileSync(`/proc/${pid}/task/${other}/environ`, "latin1");
}

function isBeginning(pid: number): boolean {
  const found = childOf(pid);
  return found !== undefined && found.state !== "Z" && found.state !== "X" && isYoung(found.start);
}

/** @param start in clock ticks, of which there are a hundred a second */
function isYoung(start: string): boolean {
  return uptime() * 1_000 - Number(start) * 10 < YOUNG;
}

export function commandOf(pid: number): readonly string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
  } catch {
    return [];
  }
}
