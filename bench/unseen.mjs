// What it costs that a shutdown could be looked at, where nobody does: beside
// the same package, built without all that tells of it.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { OPTIONS } from "../scripts/build.mjs";
import { sincePrinted } from "./measure.mjs";

/** What tells nothing to anybody. */
const BLIND = {
  "channels.ts": `
    export class Channels {
      checkSubscribers() {}
      checkShutdownSubscribers() {}
    }`,
  "slow-cleanups.ts": "export class SlowCleanups { remembered = []; add() {} } export const SHORT = Infinity;",
  "load-trace-writer.ts": "export const loadTraceWriter = () => undefined;",
};

const blind = {
  name: "blind",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/diagnostics\/(channels|slow-cleanups|load-trace-writer)\.ts$/ }, ({ path }) => ({
      contents: BLIND[path.slice(path.lastIndexOf("/") + 1)],
    }));
  },
};

/** Builds it as a package of its own: where a file lies and what is beside it takes time, too. */
export async function buildBlind(directory) {
  await build({
    ...OPTIONS,
    entryPoints: [fileURLToPath(new URL("../src/index.ts", import.meta.url))],
    outfile: `${directory}/dist/index.js`,
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
