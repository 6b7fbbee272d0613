// Escapes names, paths and errors: in a page or a picture they are text, and
// nothing else.

import { printable } from "../platform/printable.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Characters that XML forbids, and lone halves of surrogate pairs. */
const IMPOSSIBLE = /[\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Returns text that is safe as text or as an attribute's value, in HTML and in XML. */
export function escaped(text: string): string {
  return text
    .split("\n")
    .map((line) => printable(line.replace(IMPOSSIBLE, (unit) => `\\u{${unit.charCodeAt(0).toString(16)}}`)))
    .join("\n")
    .replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
