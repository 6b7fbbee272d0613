// A name for a temporary file as tmp makes it, and what tmp refuses: names that
// lead out of the directory for temporary files.

import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import type { TmpNameOptions } from "./tmp-options.ts";

const fs = builtin("fs");
const path = builtin("path");

/**
 * Returns a path at which nothing is.
 *
 * @throws an error that says which option is wrong
 */
export function tmpNameIn(options: TmpNameOptions = {}): string {
  const root = fs.realpathSync(options.tmpdir ?? builtin("os").tmpdir());
  const { name, template, tries = 3 } = options;
  if (name !== undefined) checkName(name);
  if (template !== undefined) checkTemplate(template);
  if (isNaN(tries) || tries < 0) throw new Error(`Invalid tries, found "${tries}".`);
  for (const option of ["prefix", "postfix"] as const) checkPart(option, options[option]);
  const dir = relativeTo(root, "dir", options.dir);
  const made = () => {
    if (name !== undefined) return name;
    if (template !== undefined) return relativeTo(root, "template", template).replace("XXXXXX", randomLetters(6));
    const { prefix, postfix } = options;
    return `${prefix || "tmp"}-${process.pid}-${randomLetters(12)}${postfix ? `-${postfix}` : ""}`;
  };
  for (let left = name === undefined ? tries || 3 : 1; left >= 0; left -= 1) {
    const found = path.join(root, dir, made());
    if (fs.lstatSync(found, { throwIfNoEntry: false }) === undefined) return found;
  }
  throw new Error("Could not get a unique tmp filename, max tries reached");
}

function checkName(name: string): void {
  if (path.isAbsolute(name)) throw new Error(`name option must not contain an absolute path, found "${name}".`);
  const base = path.basename(name);
  if (base === ".." || base === "." || base !== name) {
    throw new Error(`name option must not contain a path, found "${name}".`);
  }
}

function checkTemplate(template: unknown): void {
  if (typeof template !== "string") throw new Error(`template option must be a string, got "${typeof template}".`);
  if (!template.includes("XXXXXX")) throw new Error(`Invalid template, found "${template}".`);
  checkPart("template", template);
}

function checkPart(option: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "string") throw new Error(`${option} option must be a string, got "${typeof value}".`);
  if (value.includes("..")) throw new Error("Relative value not allowed");
}

/** Returns a path of an option, relative to the directory for temporary files, in which it has to be. */
function relativeTo(root: string, option: string, given: string | undefined): string {
  if (given === undefined) return "";
  const wanted = path.isAbsolute(given) ? given : path.join(root, given);
  const isThere = fs.statSync(wanted, { throwIfNoEntry: false }) !== undefined;
  const real = isThere
    ? fs.realpathSync(wanted)
    : path.join(fs.realpathSync(path.dirname(wanted)), path.basename(wanted));
  const relative = path.relative(root, real);
  if (relative.startsWith("..") || path.isAbsolute(relative)) {
    throw new Error(`${option} option must be relative to "${root}", found "${relative}".`);
  }
  return relative;
}

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Returns letters that nobody can guess; those beyond the last whole alphabet would not be equally likely. */
function randomLetters(count: number): string {
  let text = "";
  while (text.length < count) {
    for (const byte of crypto.getRandomValues(new Uint8Array(count))) {
      if (byte < 4 * LETTERS.length && text.length < count) text += LETTERS[byte % LETTERS.length];
    }
  }
  return text;
}
