// Node's own modules, loaded when they are needed and not before. A static
// import would make every program start more slowly, and an import of
// node:process opens the standard streams.

import type { InspectOptions } from "node:util";
import { process } from "./process.ts";

/** Returns a built-in module, without an `import` that would slow down every program. */
export function builtin<T extends keyof Builtins>(name: T): Builtins[T] {
  return process.getBuiltinModule(name as string) as Builtins[T];
}

interface Builtins {
  async_hooks: typeof import("node:async_hooks");
  child_process: typeof import("node:child_process");
  crypto: typeof import("node:crypto");
  events: typeof import("node:events");
  diagnostics_channel: typeof import("node:diagnostics_channel");
  fs: typeof import("node:fs");
  module: typeof import("node:module");
  os: typeof import("node:os");
  path: typeof import("node:path");
  timers: typeof import("node:timers");
  tty: typeof import("node:tty");
  url: typeof import("node:url");
  util: typeof import("node:util");
  vm: typeof import("node:vm");
}

/** Returns what `util.inspect` does, or something else for a revoked proxy or where a getter throws. */
export function inspect(value: unknown, options: InspectOptions, otherwise?: string): string {
  try {
    return builtin("util").inspect(value, { customInspect: false, ...options });
  } catch {
    return otherwise ?? `<${typeof value} that cannot be shown>`;
  }
}

/** Node's own timers, and its clock: what a test framework puts in their place must not hold back a deadline. */
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = builtin("timers");

/** Returns the time of day, in milliseconds since 1970. */
export const { now: timeOfDay } = Date;

const { uptime } = process;

/** Returns the time on a clock that never jumps, in milliseconds. */
export function now(): number {
  return uptime() * 1000;
}

/**
 * Whether this is the main thread. Node marks what a worker cannot do;
 * node:worker_threads would tell too, and takes 2.5 ms to load.
 */
export const isMainThread = (process.abort as { disabled?: boolean }).disabled !== true;
