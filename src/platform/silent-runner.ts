// Test runners that end their process without emitting an event of it.

import { process } from "./process.ts";

interface Globals {
  readonly Deno?: { readonly test?: { readonly name?: unknown } };
}

/** Returns the command that this process is, if it is such a runner. */
export function silentRunner(): string | undefined {
  if (process.versions["bun"] !== undefined) return isBunTest() ? "bun test" : undefined;
  // Elsewhere Deno has a function of another name in its place, which does nothing.
  return (globalThis as Globals).Deno?.test?.name === "test" ? "deno test" : undefined;
}

/** Elsewhere the module is there, too, and its functions throw. */
function isBunTest(): boolean {
  const tests = process.getBuiltinModule("bun:test") as { afterAll(hook: () => void): void } | undefined;
  try {
    tests?.afterAll(() => {});
    return tests !== undefined;
  } catch {
    return false;
  }
}
