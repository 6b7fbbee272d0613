// The call of a cleanup's function. Below this frame of a stack trace stands how
// this package came to call it, which says nothing about the cleanup.

import type { Registration } from "./registration.ts";

const COMMON_FRAMES = /^\s+\.{3} \d+ lines matching cause stack trace \.{3}$/;

/** Calls the function with the arguments it was registered with. */
export function callCleanup({ fn, args }: Pick<Registration, "fn" | "args">): unknown {
  return (fn as (...args: readonly unknown[]) => unknown)(...args);
}

/**
 * Cuts a stack trace, or a text that holds one, below the cleanup's own frames.
 * The frame to cut at is found by a call: what it is named, and which file it
 * is in, is a bundler's choice.
 */
export function cutAtCleanup(text: string): string {
  const frame = ownFrame();
  if (frame === undefined || !text.includes(frame)) return text;
  const kept: string[] = [];
  let isBelow = false;
  for (const line of text.split("\n")) {
    // What an error has in common with its cause, Node shows once.
    const isCommon = COMMON_FRAMES.test(line);
    const isFrame = isCommon || /^\s+at /.test(line);
    isBelow = isFrame && (isBelow || isCommon || line.includes(frame));
    if (!isBelow) kept.push(line);
    // Behind the last frame the error's own properties may begin.
    else if (line.endsWith(" {")) kept.push(`${kept.pop()} {`);
  }
  return kept.join("\n");
}

/** The place of the call in {@link callCleanup}, as a stack trace has it: `file:line:column`. */
function ownFrame(): string | undefined {
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 2;
    const stack = callCleanup({ fn: () => new Error().stack, args: [] });
    Error.stackTraceLimit = limit;
    return /\(?([^\s(]+:\d+:\d+)\)?$/.exec(String(stack))?.[1];
  } catch {
    return undefined; // Error is frozen, or its prepareStackTrace throws
  }
}
