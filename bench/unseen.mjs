// What it costs that a shutdown could be looked at, where nobody does: beside
// the same package, built without all that tells of it.

import { fileURLToPath } from "node:url";
import { bundle } from "../scripts/late.mjs";
import { sincePrinted } from "./measure.mjs";

const source = (path) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

/** What tells nothing to anybody. */
const BLIND = {
  "channels.ts": `
    export class Channels {
      look() { return false; }
      begin(exit, deadline, grace, stack, body) { return body(); }
    }
    const blind = new Channels();
    export const channelsOf = () => blind;`,
  "timeline.ts": "export class Timeline { steps = []; add() {} } export const SHORT = Infinity;",
  "observer.ts": "export const observer = () => undefined; export const isObserverWanted = () => false;",
};

const blind = {
  name: "blind",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/(channels|timeline|observer)\.ts$/ }, ({ path }) => ({
      contents: BLIND[path.slice(path.lastIndexOf("/") + 1)],
    }));
  },
};

/** Builds it as a package of its own: where a file lies and what is beside it takes time, too. */
export async function buildBlind(directory) {
  await bundle({
    entryPoints: [source("index.ts")],
    outfile: `${directory}/dist/index.js`,
    sourcemap: true,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    minify: true,
    lineLimit: 120,
    logLevel: "warning",
    plugins: [blind],
  });
}

const unseen = (kind) => ({
  name: `unseen-${kind}`,
  what: `a shutdown of a thousand ${kind}hronous cleanups, with nobody who looks`,
  peer: "the same, built so that nobody could",
  unit: "ms",
  atMost: 1.03,
  rounds: 201,
  ours: ({ node, program }) => sincePrinted(node, [program("thousand.mjs"), "atexit", kind]),
  theirs: ({ node, program }) => sincePrinted(node, [program("thousand.mjs"), "atexit-blind", kind]),
});

export const unseenSync = unseen("sync");
export const unseenAsync = { ...unseen("async"), rounds: 51 };
