// Reports whether one more thread can be started. Node ends the whole process
// with a core dump where the thread behind the `timeout` of node:vm cannot start,
// and cannot be asked before: just where descriptors or processes have run out,
// and cleanups are needed most.
// Sources: the assertions in https://github.com/nodejs/node/blob/main/src/node_watchdog.cc,
// and in uv__close() of https://github.com/libuv/libuv/blob/v1.x/src/unix/core.c

import { builtin, now } from "./node-builtins.ts";
import { process } from "./process.ts";

/** How many descriptors a thread needs: its event loop takes five, as measured on Node 20 to 26; and one to spare. */
const DESCRIPTORS = 6;

const STDERR = 2;

/** How many more threads have to fit: other processes may start some at the same time. */
const ROOM = 16;

/** How long the result about processes is kept, in milliseconds. */
const CACHE_MS = 100;

let cachedUntil = 0;
let isBelowLimits = true;

/** Reports whether a thread can be started; where the system does not tell, it can. */
export function hasThreadCapacity(): boolean {
  try {
    if (!hasDescriptors()) return false;
    if (process.platform === "linux" && now() > cachedUntil) {
      isBelowLimits = isBelowUserLimit() && isBelowControlGroupLimit();
      cachedUntil = now() + CACHE_MS;
    }
    return isBelowLimits;
  } catch {
    // Node's permission model, or no /proc.
    return true;
  }
}

function hasDescriptors(): boolean {
  const fs = builtin("fs");
  const opened: number[] = [];
  try {
    while (opened.length < DESCRIPTORS) opened.push(fs.openSync("/dev/null", "r"));
    // Where a standard stream has been closed its number is free for the thread's, and libuv closes no such number.
    return opened.every((fd) => fd > STDERR);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== "EMFILE" && code !== "ENFILE";
  } finally {
    for (const fd of opened) fs.closeSync(fd);
  }
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
