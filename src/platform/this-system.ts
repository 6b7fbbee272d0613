// The system that this process runs on. Nothing else asks for its name.

import { darwin } from "./darwin.ts";
import { linux, linuxExits } from "./linux.ts";
import { posix, posixExits } from "./posix.ts";
import { process } from "./process.ts";
import type { System, SystemExits } from "./system.ts";
import { win32, win32Exits } from "./win32.ts";

/** Chosen apart from the rest, so that a bundle of the ways out holds no more than these. */
export const systemExits: SystemExits = /* @__PURE__ */ ofThisSystem(
  { linux: linuxExits, win32: win32Exits },
  posixExits,
);

export const system: System = /* @__PURE__ */ ofThisSystem({ linux, darwin, win32 }, posix);

function ofThisSystem<T>(systems: { readonly [name in NodeJS.Platform]?: T }, others: T): T {
  return systems[process.platform] ?? others;
}
