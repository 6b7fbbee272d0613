// Ends a child where this process cannot see others, as in a pid namespace whose /proc
// is another's: nobody can look for descendants then, and no other process could tell this child from a later one
// of its pid. Until Node has heard of its end, its pid, and the number of the group
// that it leads, are given to no other process. Source: waitpid(2).

import type { ChildProcess } from "node:child_process";
import { report } from "../diagnostics/stderr.ts";
import { hasEnded, type KillOptions } from "../durable/recipes/kill.ts";
import { coreError } from "../errors/core.ts";
import { durableError } from "../errors/durable.ts";
import type { Registration } from "../index.ts";
import { builtin, clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { canListen } from "../platform/signal-list.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { type Callee, registerForCaller } from "./register-for-caller.ts";
import { process } from "../platform/process.ts";
import { system } from "../platform/this-system.ts";

/** How long a killed child may take to be gone, in milliseconds. */
const KILLED_WITHIN = 2_000;

let hasWarned = false;

/**
 * @param isAll whether nothing else ends it
 * @throws a `RangeError` with the code `ERR_ATEXIT_SIGNAL` or `ERR_ATEXIT_TIME`
 */
export function killByHandle(
  callee: Callee,
  child: ChildProcess,
  options: KillOptions,
  isAll = true,
): Registration<Promise<void>> {
  const { signal = "SIGTERM", grace = 5_000 } = options;
  if (signal !== "SIGKILL" && !canListen(signal)) throw coreError("ERR_ATEXIT_SIGNAL", signal);
  checkTime("grace", grace);
  if (isAll) warnOnce();
  const registration = registerForCaller(callee, { name: `kill ${child.pid}` }, () => end(child, signal, grace));
  if (hasEnded(child)) registration.cancel();
  else child.once("exit", () => registration.cancel());
  return registration;
}

async function end(child: ChildProcess, signal: NodeJS.Signals, grace: number): Promise<void> {
  if (grace > 0 && signal !== "SIGKILL" && (await isOverAfter(child, signal, grace))) return;
  if (await isOverAfter(child, "SIGKILL", KILLED_WITHIN)) return;
  throw durableError("ERR_ATEXIT_STILL_THERE", `process ${child.pid}`, "it did not end when killed");
}

/** Sends a signal, and reports whether the child ends within the limit, in milliseconds. */
async function isOverAfter(child: ChildProcess, signal: NodeJS.Signals, limit: number): Promise<boolean> {
  if (hasEnded(child)) return true;
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(), limit);
  const ended = builtin("events").once(child, "exit", { signal: tooLong.signal });
  send(child, signal);
  try {
    await ended;
    return true;
  } catch {
    return hasEnded(child);
  } finally {
    clearTimeout(timer);
  }
}

/** Signals the child, and the process group that it leads, if it leads one. */
function send(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (!system.hasSignals) child.kill(signal);
    else process.kill(-(child.pid as number), signal);
  } catch {
    child.kill(signal);
  }
}

const UNSEEN = system.hasSignals ? "/proc does not show the processes of this pid namespace" : system.whyUnseen;

function warnOnce(): void {
  if (hasWarned) return;
  hasWarned = true;
  report(
    `${UNSEEN}. A child is ended, with its process group where it leads one (detached), on every exit that JavaScript sees, but its other descendants are not, nor is anything when this process is killed.${system.hasSignals ? " Mount /proc to have that: mount -t proc proc /proc." : ""}`,
  );
}
