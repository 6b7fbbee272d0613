// Text that is fit to be printed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { printable, printableJson, printableLines } from "../../src/platform/printable.ts";

const CONTROLS = "\u0000\u0007\u001b\r\u007f\u0085\u009b\u2028\u2029\u200e\u202e\u2066\u{e0041}";

test("printable() leaves no character by which a terminal could be controlled", () => {
  assert.equal(printable(`a${CONTROLS}b`).replaceAll(/\\u\{[0-9a-f]+\}/g, ""), "ab");
  assert.equal(printable("\u001b[2J"), "\\u{1b}[2J");
  assert.equal(printable("one\ntwo\tthree"), "one\\u{a}two\\u{9}three");
  assert.equal(printable("日本語 🎉 é"), "日本語 🎉 é");
});

test("printable() shows what is no string, and does not fail on it", () => {
  assert.deepEqual([printable(undefined), printable(5), printable(["\u001b"])], ["undefined", "5", "[ '\\x1B' ]"]);
  assert.match(printable({ toString: 5 }), /toString: 5/);
});

test("printableLines() keeps line feeds and tabs", () => {
  assert.equal(printableLines("one\n\ttwo\r\u001b"), "one\n\ttwo\\u{d}\\u{1b}");
});

test("printableJson() is JSON of the same value", () => {
  const value = { [CONTROLS]: [CONTROLS, "日本語 🎉"] };
  const json = printableJson(value, 2);
  assert.doesNotMatch(json.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.deepEqual(JSON.parse(json), value);
});
