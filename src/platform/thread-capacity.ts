// Reports whether one more thread can be started. Node ends the whole process
// with a core dump where the thread behind the `timeout` of node:vm cannot start,
// and cannot be asked before: just where descriptors or processes have run out,
// and cleanups are needed most.
// Sources: the assertions in https://github.com/nodejs/node/blob/main/src/node_watchdog.cc,
// and in uv__close() of https://github.com/libuv/libuv/blob/v1.x/src/unix/core.c

import { builtin, now } from "./node-builtins.ts";
import { systemExits } from "./this-system.ts";

/** How many descriptors a thread needs: its event loop takes five, as measured on Node 20 to 26; and one to spare. */
const DESCRIPTORS = 6;

const STDERR = 2;

/** How long the result about processes is kept, in milliseconds. */
const CACHE_MS = 100;

let cachedUntil = 0;
let isBelowLimits = true;

/** Reports whether a thread can be started; where the system does not tell, it can. */
export function hasThreadCapacity(): boolean {
  try {
    if (!hasDescriptors()) return false;
    if (now() > cachedUntil) {
      isBelowLimits = systemExits.hasRoomForThreads?.() ?? true;
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
