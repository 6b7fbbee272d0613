// The BSDs and macOS: what ps(1) tells of processes. Untested on a real one.

import { builtin } from "./node-builtins.ts";
import { environment } from "./process.ts";
import { isAnybodys } from "./pids.ts";
import type { Process } from "./system.ts";

/** A column for each -o: all after the first equals sign is that column's header on FreeBSD, which macOS' differs in. */
const COLUMNS = ["pid", "ppid", "pgid", "stat", "lstart"].flatMap((column) => ["-o", `${column}=`]);

/** Lists the processes that are alive. The start is the time to a second, as ps writes it. */
export function processes(): Process[] {
  return rows(["-A"]);
}

function rows(which: readonly string[]): Process[] {
  const { stdout } = builtin("child_process").spawnSync("ps", [...which, ...COLUMNS], {
    encoding: "utf8",
    env: { ...environment(), LC_ALL: "C" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (typeof stdout !== "string") throw new Error("ps(1) does not tell which processes there are");
  return stdout.split("\n").flatMap((line) => {
    const [pid, ppid, group, state, ...start] = line.trim().split(/\s+/);
    if (pid === undefined || pid === "" || state === undefined || state.startsWith("Z")) return [];
    const numbers = { pid: Number(pid), ppid: Number(ppid), group: Number(group), session: 0 };
    return [{ ...numbers, state: state.charAt(0), start: start.join(" ") }];
  });
}

/** How far two readings of one clock may differ, in milliseconds: ps counts seconds. */
const SECONDS = 1_000;

/** Reports whether a process has started by a time; where ps does not tell, it may have. */
export function mayHaveStartedBy(pid: number, time: number): boolean {
  if (!isAnybodys(pid)) return false;
  const startedAt = Date.parse(processOf(pid)?.start ?? "");
  return !(startedAt > time + SECONDS);
}

export function processOf(pid: number): Process | undefined {
  return rows(["-p", String(pid)]).find((each) => each.pid === pid);
}
