// Text that may come from anybody, made fit to be printed: what a file holds
// cannot move a cursor, set a title or turn letters round.

import { inspect } from "./node-builtins.ts";

/**
 * Control characters (C0, DEL, C1), those that are not seen but order text, and ends
 * of lines and paragraphs. A literal would have V8 look these categories up at every
 * program's start, for a quarter of a millisecond.
 */
let controls: RegExp | undefined;

function replaceControls(text: string, replacement: (character: string) => string): string {
  controls ??= new RegExp("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]", "gu");
  return text.replace(controls, replacement);
}

/**
 * Returns a text of one line, with `\u{1b}` in the place of characters by which
 * it could control a terminal.
 *
 * @param text what is no string, in a file that says it is one, is shown as it is
 */
export function printable(text: unknown): string {
  return replaceControls(typeof text === "string" ? text : inspect(text, { depth: 1 }), escapeOf);
}

/** Returns the same of a text with several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return replaceControls(text, (character) =>
    character === "\n" || character === "\t" ? character : escapeOf(character),
  );
}

function escapeOf(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

/** Returns a value as JSON in which those characters are escaped, too: `JSON.stringify` escapes C0 alone. */
export function printableJson(value: unknown, indent?: number): string {
  return printableJsonText(JSON.stringify(value, null, indent));
}

/** Returns the same JSON: outside of its strings it has none of those characters but white space. */
export function printableJsonText(json: string): string {
  return replaceControls(json, (character) =>
    "\n\r\t".includes(character) ? character : character.split("").map(codeUnit).join(""),
  );
}

function codeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
