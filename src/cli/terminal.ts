// Output on a terminal, and its plain form elsewhere.

import { printable } from "../platform/printable.ts";
import { type Paint, painterFor } from "../trace/paint.ts";

export function painter(stream: NodeJS.WriteStream): Paint {
  return painterFor(stream.isTTY === true, process.env);
}

/** Shows on a terminal what it waits for, once that takes more than a second. @returns a function that ends it */
export function progress(text: string): () => void {
  const { stderr } = process;
  if (stderr.isTTY !== true) return () => {};
  const startedAt = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    isShown = true;
    stderr.write(`\r\x1b[K${printable(text)} … ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  }, 1_000);
  timer.unref();
  return () => {
    clearInterval(timer);
    if (isShown) stderr.write("\r\x1b[K");
  };
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Returns an age such as `3m`; `?` where the beginning is no time. */
export function ageOf(since: string, now = Date.now()): string {
  if (Number.isNaN(Date.parse(since))) return "?";
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1_000));
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const;
  for (const [unit, length] of units) if (seconds >= length) return `${Math.floor(seconds / length)}${unit}`;
  return `${seconds}s`;
}
