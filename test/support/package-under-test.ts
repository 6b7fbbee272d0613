// What the tests test, and where it is: the published files in dist/ where the
// tests themselves are compiled, and the sources where they run as sources.
// Programs that tests start find it in a node_modules, as a user's program does.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Whether the tests run as they are written, and not as `tsc` has compiled them. */
export const isFromSources = import.meta.url.endsWith(".ts");

/** The repository's root. Compiled files lie one level deeper than their sources. */
export const repository = rootAbove(dirname(fileURLToPath(import.meta.url)));

/** As it is published. */
export const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
  readonly name: string;
  readonly version: string;
  readonly engines: { readonly node: string };
};

const PEERS = ["async-exit-hook", "close-with-grace", "exit-hook", "tmp"] as const;

export type EntryPoint =
  | "atexit"
  | "atexit/durable"
  | "atexit/resources"
  | "atexit/app"
  | "atexit/lease"
  | "atexit/keeper"
  | "atexit/postgres"
  | "atexit/etcd"
  | "atexit/kubernetes"
  | "atexit/scope"
  | `atexit/compat/${(typeof PEERS)[number]}`;

/** Where the APIs of other packages are. */
const compat = (place: (peer: string) => string) =>
  Object.fromEntries(PEERS.map((peer) => [`atexit/compat/${peer}`, place(peer)])) as Record<
    `atexit/compat/${(typeof PEERS)[number]}`,
    string
  >;

/** The directory with all files of the package, and where in it what is. */
const [files, places] = isFromSources
  ? ([
      "src",
      {
        atexit: "index.ts",
        "atexit/durable": "durable/index.ts",
        "atexit/resources": "resources/index.ts",
        "atexit/app": "app/index.ts",
        "atexit/scope": "scope/index.ts",
        ...compat((peer) => `compat/${peer}.ts`),
        "atexit/lease": "lease/index.ts",
        "atexit/keeper": "keeper/index.ts",
        "atexit/postgres": "postgres/index.ts",
        "atexit/etcd": "etcd/index.ts",
        "atexit/kubernetes": "kubernetes/index.ts",
        command: "cli/main.ts",
        program: "tour/program.ts",
        host: "tour/host.ts",
      },
    ] as const)
  : ([
      "dist",
      {
        atexit: "index.js",
        "atexit/durable": "durable.js",
        "atexit/resources": "resources.js",
        "atexit/app": "app.js",
        "atexit/scope": "scope.js",
        ...compat((peer) => `compat-${peer}.js`),
        "atexit/lease": "lease.js",
        "atexit/keeper": "keeper.js",
        "atexit/postgres": "postgres.js",
        "atexit/etcd": "etcd.js",
        "atexit/kubernetes": "kubernetes.js",
        command: "cli.cjs",
        program: "tour-program.js",
        host: "tour-host.js",
      },
    ] as const);

/** The directory with all files of the package. */
export const packageFiles = join(repository, files);

/** The command `atexit`: `node CLI run …`. */
export const CLI = join(packageFiles, places.command);

/** The programs of the tour: what ends in each way, and what it runs under. */
export const tourPrograms = {
  program: join(repository, files, places.program),
  host: join(repository, files, places.host),
};

/** The file that an entry point is, as a URL: for programs that can be in no directory of ours. */
export function urlOf(entryPoint: EntryPoint): string {
  return pathToFileURL(join(repository, files, places[entryPoint])).href;
}

/** A source with its imports of the package as URLs, for a program that can be in no directory of ours. */
export function withUrls(source: string): string {
  return source.replace(
    /"(atexit(?:\/(?:durable|resources|app|scope|lease|keeper|postgres|etcd|kubernetes))?)"/g,
    (_, entryPoint: EntryPoint) => JSON.stringify(urlOf(entryPoint)),
  );
}

/** Copies the whole package; returns the path of an entry point in the copy. */
export function copyPackage(directory: string): (entryPoint: EntryPoint) => string {
  cpSync(join(repository, files), directory, { recursive: true });
  // What sources are is said by the package.json above them.
  if (isFromSources) writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  return (entryPoint) => join(directory, places[entryPoint]);
}

/** A new directory in which programs find the package by its name, and all that the repository depends on. */
export function makeProgramDirectory(): string {
  return mkdtempSync(join(project(), "program-"));
}

let examples: string | undefined;

/** The directory of examples/, as their readers have them: where the package is found as by any program. */
export function examplesDirectory(): string {
  if (examples !== undefined) return examples;
  const directory = makeProgramDirectory();
  cpSync(join(repository, "examples"), directory, { recursive: true });
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  examples = directory;
  return directory;
}

let made: string | undefined;

/** A project that has the package installed: made once, by whichever process comes first. */
function project(): string {
  if (made !== undefined) return made;
  const root = join(repository, "build", isFromSources ? "sources" : "published");
  const installed = join(root, "node_modules", "atexit");
  mkdirSync(installed, { recursive: true });
  // Without one of its own, its programs would be part of this package and not its users.
  write(join(root, "package.json"), { name: "programs-of-tests", private: true });
  const exported = { name: "atexit", type: "module", exports: exportsOfSources() };
  write(join(installed, "package.json"), isFromSources ? exported : manifest);
  try {
    // Node goes by real paths: in a node_modules it would run no TypeScript.
    symlinkSync(join("..", "..", "..", "..", files), join(installed, files));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  made = root;
  return root;
}

function exportsOfSources(): Record<string, string> {
  const entryPoints = Object.entries(places).filter(([name]) => name.startsWith("atexit"));
  return Object.fromEntries(entryPoints.map(([name, path]) => [name.replace("atexit", "."), `./src/${path}`]));
}

/** Replaces the file at once, so that no other process sees a half of it; leaves one that is right already. */
function write(path: string, content: object): void {
  const text = `${JSON.stringify(content, undefined, 2)}\n`;
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  const beside = `${path}.${process.pid}`;
  writeFileSync(beside, text);
  renameSync(beside, path);
}

function rootAbove(directory: string): string {
  const path = join(directory, "package.json");
  if (existsSync(path) && (JSON.parse(readFileSync(path, "utf8")) as { name?: string }).name === "atexit") {
    return directory;
  }
  const above = dirname(directory);
  if (above === directory) throw new Error(`${import.meta.url} is in no directory of the package atexit`);
  return rootAbove(above);
}
