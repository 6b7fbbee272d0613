// Linux: the limits on threads, of a user and of a container.

import { builtin } from "./node-builtins.ts";
import { process } from "./process.ts";

/** How many more threads have to fit: other processes may start some at the same time. */
const ROOM = 16;

export function hasRoomForThreads(): boolean {
  return isBelowUserLimit() && isBelowControlGroupLimit();
}

/** Checks RLIMIT_NPROC, which does not hold for root. Source: getrlimit(2), proc(5). */
function isBelowUserLimit(): boolean {
  if (process.geteuid?.() === 0) return true;
  const limit = /^Max processes +(\d+)/m.exec(read("/proc/self/limits"))?.[1];
  if (limit === undefined) return true;
  // All threads of the system are no fewer than the user's.
  const threads = / \d+\/(\d+) /.exec(read("/proc/loadavg"))?.[1];
  return Number(threads) + ROOM <= Number(limit);
}

/** Checks a container's limit. Source: the kernel's cgroup-v2.rst, and cgroup-v1/pids.rst. */
function isBelowControlGroupLimit(): boolean {
  const fs = builtin("fs");
  const groups = read("/proc/self/cgroup");
  const v1 = /^\d+:pids:(.*)$/m.exec(groups)?.[1];
  const root = v1 === undefined ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
  // A limit of any group that holds this one holds here.
  let group = (v1 ?? /^0::(.*)$/m.exec(groups)?.[1] ?? "").replace(/\/$/, "");
  for (; ; group = group.slice(0, group.lastIndexOf("/"))) {
    const path = root + group;
    if (fs.existsSync(`${path}/pids.max`)) {
      const limit = read(`${path}/pids.max`);
      if (/^\d/.test(limit) && Number(read(`${path}/pids.current`)) + ROOM > Number(limit)) return false;
    }
    if (group === "") return true;
  }
}

function read(path: string): string {
  return builtin("fs").readFileSync(path, "utf8");
}
