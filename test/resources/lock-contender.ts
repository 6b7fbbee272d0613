// Takes a lock again and again, and writes down where it finds that somebody
// else has it, too: who holds it stands in a file, with its pid and start.

import { appendFileSync, existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { urlOf } from "../support/package-under-test.ts";

const { lockFile, lockFileSync } = (await import(
  urlOf("atexit/resources")
)) as typeof import("../../src/resources/index.ts");

const WORK = process.env["WORK"] as string;
const lock = join(WORK, "locks", "the.lock");
const witness = join(WORK, "witness");

const statOf = (pid: string) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, start: rest[18] };
  } catch {
    return undefined;
  }
};
const namespace = readlinkSync("/proc/self/ns/pid");
const me = `${process.pid} ${statOf(String(process.pid))?.start} ${namespace}`;

/** Whether that process is there and can still do something. */
function isAlive(who: string): boolean {
  const [pid = "", start, theirNamespace] = who.split(" ");
  if (theirNamespace !== namespace) return false; // cannot be told from here
  const stat = statOf(pid);
  return stat !== undefined && stat.start === start && !"ZX".includes(stat.state as string);
}

function violation(what: string): void {
  appendFileSync(join(WORK, "violations"), `${me}: ${what}\n`);
}

while (!existsSync(join(WORK, "enough"))) {
  const synchronous = Math.random() < 0.2;
  const held = synchronous
    ? lockFileSync(lock, { wait: Number.POSITIVE_INFINITY })
    : await lockFile(lock, { wait: Number.POSITIVE_INFINITY });
  const before = existsSync(witness) ? readFileSync(witness, "utf8") : "";
  if (before !== "" && before !== me && isAlive(before)) violation(`took it while ${before} held it`);
  writeFileSync(witness, me);
  appendFileSync(join(WORK, "turns"), ".");
  if (Math.random() < 0.5) await sleep(Math.random() * 10);
  const after = readFileSync(witness, "utf8");
  if (after !== me) violation(`${after} came in while it held it`);
  if (!held.isHeld()) violation("lost it");
  writeFileSync(witness, "");
  held.release();
  if (Math.random() < 0.3) await sleep(Math.random() * 5);
}
