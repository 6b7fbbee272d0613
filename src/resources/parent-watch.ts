// Ends this process when its parent is gone: for servers that speak over stdio,
// and other helpers that nothing else would ever end.

import { builtin, clearTimeout, setTimeout } from "../platform/node-builtins.ts";
import { lifeOfProcess } from "../platform/process-identity.ts";
import { thread } from "../index.ts";
import { checkTime } from "../settings/milliseconds.ts";
import { resourceError } from "../errors/resources.ts";
import { process } from "../platform/process.ts";
import { system } from "../platform/this-system.ts";

/** Options for noticing the parent's end. */
export interface ParentOptions {
  /** Whether the end of standard input is the parent's end. By default where it is a pipe or a socket. */
  stdin?: boolean;
  /** How often to look whether the parent lives, in milliseconds. 500 by default. */
  interval?: number;
}

const DEFAULT_INTERVAL = 500;

/** After how many intervals it is looked at again whose pid the parent's is: 5 minutes by default. */
const CLOSE_LOOKS = 600;

/** The parent when this was loaded, which may be long before it is to be watched. */
const parentAtFirst = process.ppid;

export function watchParent(options: ParentOptions): Disposable & { stop(): void } {
  const { interval = DEFAULT_INTERVAL, stdin = isPiped(0) } = options;
  checkTime("interval", interval);
  if (typeof stdin !== "boolean") throw resourceError("ERR_ATEXIT_OPTION", "stdin", stdin, "true or false");
  const parent = process.ppid;
  const start = system.startOf(parent);
  let timer: NodeJS.Timeout | undefined;
  let closely: NodeJS.Timeout | undefined;
  let isStopped = false;
  const gone = () => {
    stop();
    thread.exitWithParent();
  };
  const look = () => {
    // The system gives an orphan another parent; on Windows its number stays.
    if (process.ppid !== parent || (parent > 0 && lifeOfProcess(parent, start) === "dead")) gone();
    timer = setTimeout(look, interval).unref();
  };
  const lookClosely = async () => {
    const isReused = await hasYounger(parent);
    if (isStopped) return;
    if (isReused) gone();
    else closely = setTimeout(() => void lookClosely(), interval * CLOSE_LOOKS).unref();
  };
  const stop = () => {
    isStopped = true;
    clearTimeout(timer);
    clearTimeout(closely);
    if (stdin) for (const event of ["end", "close"]) process.stdin.off(event, gone);
    process.off("disconnect", gone);
  };
  // The program that reads standard input sees its end; nothing is read here.
  if (stdin) for (const event of ["end", "close"]) process.stdin.once(event, gone);
  if (process.connected) process.once("disconnect", gone);
  // What was over before this call tells of itself no more.
  if (parent !== parentAtFirst || hasLostChannel() || (stdin && hasEnded(process.stdin))) timer = setTimeout(gone, 0);
  else timer = setTimeout(look, interval).unref();
  // A look takes a program: none where the parent's end is told besides.
  if (system.processesLater !== undefined && !stdin && !process.connected) void lookClosely();
  return { stop, [Symbol.dispose]: stop };
}

/**
 * Reports whether the process that has the parent's pid is another by now: it began later
 * than this one. On Windows an orphan keeps its parent's pid, which may be given again.
 */
async function hasYounger(parent: number): Promise<boolean> {
  try {
    const all = await system.processesLater?.(true);
    const startOf = (pid: number) => Number(all?.find((each) => each.pid === pid)?.start);
    return startOf(parent) > startOf(process.pid);
  } catch {
    return false; // it is not told: by its pid the parent lives
  }
}

/** In a program that was not forked it is undefined. */
function hasLostChannel(): boolean {
  return (process as { connected?: boolean }).connected === false;
}

function hasEnded({ readableEnded, destroyed }: NodeJS.ReadStream): boolean {
  return readableEnded || destroyed;
}

function isPiped(fd: number): boolean {
  try {
    const stats = builtin("fs").fstatSync(fd);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}
