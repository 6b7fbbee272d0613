// The BSDs and macOS: what ps(1) tells of processes. Untested on a real one.

import { builtin } from "./node-builtins.ts";
import { environment } from "./process.ts";
import type { Process } from "./system.ts";

/** Lists the processes that are alive. The start is the time to a second, as ps writes it. */
export function* processes(): Generator<Process> {
  const table = builtin("child_process").execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="], {
    encoding: "utf8",
    env: { ...environment(), LC_ALL: "C" },
  });
  for (const line of table.split("\n")) {
    const [pid, ppid, group, state, ...start] = line.trim().split(/\s+/);
    if (pid === undefined || pid === "" || state === undefined || state.startsWith("Z")) continue;
    const numbers = { pid: Number(pid), ppid: Number(ppid), group: Number(group), session: 0 };
    yield { ...numbers, state: state.charAt(0), start: start.join(" ") };
  }
}

export function processOf(pid: number): Process | undefined {
  for (const found of processes()) if (found.pid === pid) return found;
  return undefined;
}
