// A command that its owner has begun, as others find it: it may live on without its
// owner, and is not begun a second time then.

import { durableError } from "../../errors/durable.ts";
import { isSame } from "../../platform/process-list.ts";
import { system } from "../../platform/this-system.ts";
import { until } from "../../platform/wait.ts";
import { endGroup, KILL_AFTER } from "./run-command.ts";
import type { BegunCommand } from "./recipe-kind.ts";

/** Returns a child that was started just now; `undefined` where others could not know it again. */
export function begunCommand(pid: number): BegunCommand | undefined {
  const found = system.hasSignals && system.seesOwnPids() ? system.childOf(pid) : undefined;
  return found === undefined || found.start === "0" ? undefined : { pid, start: found.start };
}

/** Reports whether a value tells of a process that leads a group: never of the first, nor of all. */
export function isBegunCommand(value: unknown): value is BegunCommand {
  if (typeof value !== "object" || value === null) return false;
  const { pid, start, isOverdue } = value as { [K in keyof BegunCommand]: unknown };
  return (
    Number.isSafeInteger(pid) &&
    (pid as number) > 1 &&
    typeof start === "string" &&
    start !== "0" &&
    (isOverdue === undefined || isOverdue === true)
  );
}

/**
 * Waits for the end of a command, and ends it when its time is over. How it has ended
 * is told to its parent alone, which is gone.
 *
 * @param timeout in milliseconds
 * @param title the name of the command in errors
 * @returns whether it was still there; if not, it may have died with its owner
 * @throws (rejects with) an error with the code `ERR_ATEXIT_COMMAND_FAILED`
 */
export async function waitForBegun(begun: BegunCommand, timeout: number, title: string): Promise<boolean> {
  const isOver = () => !isSame(system.processOf(begun.pid), begun);
  if (!system.seesOwnPids()) return false;
  const isOverdue = begun.isOverdue === true;
  if (isOver()) {
    if (!isOverdue) return false;
  } else {
    if (!isOverdue && (await until(isOver, timeout))) return true;
    endGroup(begun.pid, "SIGTERM");
    await until(isOver, KILL_AFTER);
    endGroup(begun.pid, "SIGKILL");
  }
  throw durableError("ERR_ATEXIT_COMMAND_FAILED", title, `had not ended after ${timeout} ms`, "");
}
