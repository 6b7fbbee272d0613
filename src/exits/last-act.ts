// Whether process.exit() is the last act of a callback of `.then()`: nobody goes on
// after it, so its caller need not be unwound, and a `.catch(console.error)` behind it
// has nothing to print. By far the most command-line tools end so.

import { builtin } from "../platform/node-builtins.ts";
import { PROCESS_EXIT_FILE } from "./node-internals.ts";

/** Where the call stands, as far as it can be told: lines and columns begin with 1. */
interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const FRAME = /^\s+at (?:.*? \()?((?:file:\/\/)?\/.*?):(\d+):(\d+)\)?$/;

/** What is behind a call that was the last: an expression's end, or a block's. */
const CALL = /^(?:exit)\s*\([^()]*\)\s*;?\s*([),}])/;

/** What is before one: `.then(() => process.exit()`. */
const EXPRESSION = /\.then\(\s*(?:async\s*)?(?:\([^()]*\)|[\w$]+)\s*=>\s*process\.$/;

/** Where the block begins that it is the last statement of: `.then(() => { …; process.exit(); }`. */
const BLOCK = /\.then\(\s*(?:async\s*)?(?:\([^()]*\)|[\w$]+)\s*=>\s*\{/g;

/** Where it is not certain, it is not. */
export function isLastActOfThen(): boolean {
  try {
    const place = placeOfCall();
    if (place === undefined) return false;
    const source = textAt(place);
    const end = CALL.exec(source.behind)?.[1];
    return end === "}" ? isWholeBlock(source.before) : end !== undefined && EXPRESSION.test(source.before);
  } catch {
    return false; // the source cannot be read, or the program has replaced what this stands on
  }
}

/** Returns where process.exit() was called, if its caller was called by nobody but the event loop. */
function placeOfCall(): Place | undefined {
  const frames = new Error().stack?.split("\n") ?? [];
  const exit = frames.findLastIndex((line) => line.includes(PROCESS_EXIT_FILE));
  const [caller, ...outer] = frames.slice(exit + 1);
  if (exit === -1 || caller === undefined || !outer.every((line) => line.includes("(node:internal/"))) return undefined;
  const [, file, line, column] = FRAME.exec(caller) ?? [];
  return file === undefined ? undefined : { file, line: Number(line), column: Number(column) };
}

function textAt({ file, line, column }: Place): { readonly before: string; readonly behind: string } {
  const path = file.startsWith("file:") ? builtin("url").fileURLToPath(file) : file;
  const text = builtin("fs").readFileSync(path, "utf8");
  let start = 0;
  for (let n = 1; n < line; n += 1) start = text.indexOf("\n", start) + 1;
  const at = start + column - 1;
  return { before: text.slice(0, at), behind: text.slice(at) };
}

/**
 * Whether the text that leads to the call is a block from its beginning, which the
 * brace behind the call ends: only then is it a script without that brace. It is
 * compiled, and never run.
 */
function isWholeBlock(before: string): boolean {
  const begin = [...before.matchAll(BLOCK)].at(-1);
  if (begin === undefined) return false;
  const body = before.slice(begin.index + begin[0].length).replace(/process\.$/, "");
  if (/\breturn\b/.test(body)) return false; // who returns is followed by others
  void new (builtin("vm").Script)(`async () => { ${body} };`);
  return true;
}
