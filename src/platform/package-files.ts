// Where the other files of this package lie. The build makes one file of each
// entry point, and nothing else knows what those are called; run from its
// sources, the package finds them in its tree.

import { builtin } from "./node-builtins.ts";

/** What is loaded or started beside the running file: its path in the sources, and its name in what is published. */
const FILES = {
  durable: ["durable/index", "durable.js"],
  resources: ["resources/index", "resources.js"],
  replay: ["durable/replay/main", "replay.js"],
  call: ["durable/recipes/call-main", "call.js"],
  "trace writer": ["trace/writer", "trace.cjs"],
  command: ["cli/command", "command.cjs"],
  commands: ["cli/commands", "commands.js"],
  inspect: ["cli/inspect", "inspect.js"],
  doctor: ["cli/doctor", "doctor.js"],
  report: ["cli/report", "report.js"],
  tour: ["tour/tour", "tour.js"],
  "tour program": ["tour/program", "tour-program.js"],
  "tour host": ["tour/host", "tour-host.js"],
} as const;

/** Files that are no code, by their paths in the sources; published, they lie beside the code. */
type Asset = "trace/page.js" | "trace/page.css" | "trace/colours.css";

/** The URL of a file of this package that holds code. */
export function packageFile(name: keyof typeof FILES): URL {
  const [source, published] = FILES[name];
  const ending = sourceEnding();
  return new URL(ending === undefined ? published : source + ending, root());
}

/** The same as a path. */
export function packagePath(name: keyof typeof FILES): string {
  return builtin("url").fileURLToPath(packageFile(name));
}

/** The text of a file of this package that is no code. */
export function readAsset(name: Asset): string {
  const published = name.slice(name.lastIndexOf("/") + 1);
  const file = new URL(sourceEnding() === undefined ? published : name, root());
  return builtin("fs").readFileSync(file, "utf8");
}

/** The directory that holds all of this package's code. */
export function packageDirectory(): string {
  return builtin("url").fileURLToPath(root());
}

/** This package's own `package.json`. */
export function manifestFile(): URL {
  return new URL("../package.json", root());
}

/** The directory of the sources, or of the published files. */
function root(): URL {
  return new URL(sourceEnding() === undefined ? "./" : "../", import.meta.url);
}

/** `.ts` in the sources, `.js` where they were compiled file by file; `undefined` in what is published. */
function sourceEnding(): string | undefined {
  return /\/platform\/package-files(\.[jt]s)$/.exec(import.meta.url)?.[1];
}
