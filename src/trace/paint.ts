// Text for a terminal.

import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** Returns a painter that colours on a terminal, unless NO_COLOR says not to (https://no-color.org). */
export function painterFor(isTerminal: boolean, { NO_COLOR, TERM }: NodeJS.ProcessEnv): Paint {
  const has = isTerminal && !NO_COLOR && TERM !== "dumb";
  return (style, text) => (has ? styleText(style, text, { validateStream: false }) : text);
}

/** Returns how many columns a text takes on a terminal: characters of East Asia and emoji take two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += widthOfCharacter(character);
  return width;
}

function widthOfCharacter(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    character,
  )
    ? 2
    : 1;
}

/**
 * Returns a text of exactly so many columns: cut in the middle, where names differ
 * least, or filled up.
 *
 * @param columns at least one is taken
 */
export function fitted(text: string, columns: number): string {
  const width = Math.max(1, columns);
  const length = widthOf(text);
  if (length <= width) return text + " ".repeat(width - length);
  const characters = [...text];
  const half = Math.ceil((width - 1) / 2);
  const head = beginningOf(characters, half);
  const tail = beginningOf([...characters].reverse(), width - 1 - widthOf(head));
  return fitted(`${head}…${[...tail].reverse().join("")}`, width);
}

function beginningOf(characters: readonly string[], width: number): string {
  let text = "";
  let taken = 0;
  for (const character of characters) {
    taken += widthOfCharacter(character);
    if (taken > width) break;
    text += character;
  }
  return text;
}
