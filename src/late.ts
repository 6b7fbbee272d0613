// Parts of this package that a program needs only at its end, or never, are text
// in its files, and become code when they are first called. What V8 has to load
// as code is what each program waits for at its start: 60 µs a kilobyte, ten
// times what a string takes.
//
// The build makes such a part of what is imported so:
//
//   import part from "./part.js" with { type: "late" };
//
// where part.js has one export, a function. The types are those of an ordinary
// import.

import { builtin } from "./builtin.js";

type Module = Readonly<Record<string, unknown>>;

/** A function as it is compiled from a text: what it imports comes as its arguments. */
type Body = (shared: (module: number, name: string) => unknown, url: string) => Part;

type Part = (...args: never[]) => unknown;

const { Function: FunctionHere } = globalThis;

/**
 * @param body of a function that returns the part
 * @param name of its module, for stack traces
 * @param surroundings the URL of the file that the text is in, and what it imports from that
 */
export function late(body: string, name: string, surroundings: () => readonly [string, readonly Module[]]): Part {
  let part: Part | undefined;
  const load = () => {
    const [url, modules] = surroundings();
    return compile(`${body}\n//# sourceURL=${url}?${name}`)((index, of) => modules[index]?.[of], url);
  };
  return (...args) => {
    part ??= load();
    return part(...args);
  };
}

function compile(body: string): Body {
  const parameters = ["SHARED", "MODULE_URL"];
  try {
    // In the realm of this very code: what a part throws is an error of its caller's.
    return new FunctionHere(...parameters, body) as Body;
  } catch (error) {
    // Node's --disallow-code-generation-from-strings does not hold for node:vm.
    if (!(error instanceof EvalError)) throw error;
    return builtin("vm").compileFunction(body, parameters) as Body;
  }
}
