// The places of the other files of this package. The build makes one file of each
// entry point, and only this file knows their names; run from its sources, the
// package finds them in its tree.

import { builtin } from "./node-builtins.ts";

/** The files that are loaded or started by others: their paths in the sources, and their published names. */
const FILES = {
  durable: ["durable/index", "durable.js"],
  resources: ["resources/index", "resources.js"],
  // Beside a bundle nobody else's file has these names.
  replay: ["durable/replay/main", "atexit-helper.cjs"],
  "give back to PostgreSQL": ["postgres/give-back", "postgres-give-back.js"],
  "give back to etcd": ["etcd/give-back", "etcd-give-back.js"],
  "actions of a keeper": ["keeper/action-program", "keeper-actions.js"],
  "trace writer": ["trace/writer", "atexit-trace.cjs"],
  command: ["cli/command", "command.cjs"],
  "lease command": ["cli/lease", "lease-command.js"],
  "keeper command": ["cli/keeper", "keeper-command.js"],
  commands: ["cli/commands", "commands.js"],
  inspect: ["cli/inspect", "inspect.js"],
  doctor: ["cli/doctor", "doctor.js"],
  report: ["cli/report", "report.js"],
  tour: ["tour/tour", "tour.js"],
  "tour program": ["tour/program", "tour-program.js"],
  "tour host": ["tour/host", "tour-host.js"],
} as const;

/** Returns where this code is; unknown in a bundle of CommonJS. Asked at a start it would cost CommonJS 0.2 ms. */
function here(): string | undefined {
  return import.meta.url;
}

/** Files that hold no code, by their paths in the sources; published, they lie beside the code. */
type Asset = "trace/page.js" | "trace/page.css" | "trace/colours.css";

/** Returns the URL of a file of this package that holds code. */
export function packageFile(name: keyof typeof FILES): URL {
  const [source, published] = FILES[name];
  const ending = sourceEnding();
  return new URL(ending === undefined ? published : source + ending, root());
}

/** Returns the path of a file of this package that holds code; `undefined` in a bundle that does not know where it is. */
export function packagePath(name: keyof typeof FILES): string | undefined {
  try {
    return builtin("url").fileURLToPath(packageFile(name));
  } catch {
    return undefined; // bundlers replace `import.meta.url` by whatever they like, and another system's paths are none here
  }
}

/** Returns the path of the file that holds this code; `undefined` in a bundle that does not know where it is. */
export function thisFile(): string | undefined {
  try {
    return builtin("url").fileURLToPath(here() as string);
  } catch {
    return undefined;
  }
}

/** Returns the text of a file of this package that holds no code. */
export function readAsset(name: Asset): string {
  const published = name.slice(name.lastIndexOf("/") + 1);
  const file = new URL(sourceEnding() === undefined ? published : name, root());
  return builtin("fs").readFileSync(file, "utf8");
}

/** Returns the directory that holds all of this package's code. */
export function packageDirectory(): string {
  return builtin("url").fileURLToPath(root());
}

/** Returns the URL of this package's own `package.json`. */
export function manifestFile(): URL {
  return new URL("../package.json", root());
}

/** Returns the URL of the directory of the sources, or of the published files. */
function root(): URL {
  // Bundlers take `new URL(…, import.meta.url)` for a file to be copied.
  const url = here();
  if (url === undefined) throw new Error("this program is a bundle, and the other files of atexit are not with it");
  return new URL(sourceEnding() === undefined ? "./" : "../", url);
}

/** Returns `.ts` in the sources, `.js` where they were compiled file by file; `undefined` in the published files. */
function sourceEnding(): string | undefined {
  return /\/platform\/package-files(\.[jt]s)$/.exec(here() ?? "")?.[1];
}
