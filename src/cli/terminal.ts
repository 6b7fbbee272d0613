// What is shown on a terminal, and what of it elsewhere.

import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal, unless NO_COLOR says not to (https://no-color.org). */
export function painter(stream: NodeJS.WriteStream): (style: Style, text: string) => string {
  const has = stream.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
  return (style, text) => (has ? styleText(style, text, { validateStream: false }) : text);
}

/** Nothing that a file's or a program's name can do to a terminal. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) as number;
    return `\\u{${code.toString(16)}}`;
  });
}

/** Says on a terminal what is being waited for, once that takes longer than a second. @returns what ends it */
export function progress(text: string): () => void {
  const { stderr } = process;
  if (stderr.isTTY !== true) return () => {};
  const startedAt = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    isShown = true;
    stderr.write(`\r\x1b[K${text} … ${Math.round((performance.now() - startedAt) / 1_000)} s`);
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

/** "3 minutes" since then. */
export function ageOf(since: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1_000));
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const;
  for (const [unit, length] of units) if (seconds >= length) return `${Math.floor(seconds / length)}${unit}`;
  return `${seconds}s`;
}
