// Measures this package beside its peers and writes docs/comparison.md: what each
// gets through (docs/ways-out.json, which `npm run table` measures), how long a
// program takes to load it, and what it puts on the disk. When a version was released
// it does not say: not every registry tells the same.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How often each is loaded; the median counts. */
const TIMES = 15;

const { node, rows, unseen } = JSON.parse(readFileSync("docs/ways-out.json", "utf8"));
const libraries = rows[0].scores.map(({ library }) => library);
const sum = (some, library, what) =>
  some.reduce((all, { scores }) => all + scores.find((score) => score.library === library)[what], 0);
const ways = (some) => some.reduce((all, row) => all + row.ways, 0);

/** Where a package is, and its manifest; this one is what is built. */
function installed(name) {
  const directory = name === "atexit" ? "." : join("node_modules", name);
  return { directory, manifest: JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) };
}

function kilobytes(name) {
  const { directory } = installed(name);
  const root = name === "atexit" ? "dist" : directory;
  const files = readdirSync(root, { recursive: true }).map((path) => statSync(join(root, String(path))));
  const bytes = files.filter((stats) => stats.isFile()).reduce((all, { size }) => all + size, 0);
  return Math.round(bytes / 1_000);
}

function hasTypes(name) {
  const { directory, manifest } = installed(name);
  return JSON.stringify(manifest.exports ?? "").includes("types") || manifest.types || manifest.typings
    ? "own"
    : existsSync(join(directory, "index.d.ts"))
      ? "own"
      : "none of its own";
}

/** How long `import` of each takes, in a process of its own, in milliseconds: the median, taken in turn. */
function loadTimes() {
  const times = new Map(libraries.map((name) => [name, []]));
  for (let n = 0; n < TIMES; n += 1) {
    for (const name of libraries) {
      const target = name === "atexit" ? "./dist/index.js" : name;
      const source = `const at = performance.now(); await import(${JSON.stringify(target)}); console.log(performance.now() - at);`;
      const printed = execFileSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8" });
      times.get(name).push(Number(printed));
    }
  }
  return (name) =>
    times
      .get(name)
      .sort((a, b) => a - b)
      [Math.floor(TIMES / 2)].toFixed(1);
}

const loadTime = loadTimes();
const line = (cells) => `| ${cells.join(" | ")} |`;
const columns = [
  ["ways out, synchronous", (name) => `${sum(rows, name, "sync")} of ${ways(rows)}`],
  ["ways out, asynchronous", (name) => `${sum(rows, name, "async")} of ${ways(rows)}`],
  ["SIGKILL and the like", (name) => `${sum(unseen, name, "cleaned")} of ${ways(unseen)}`],
  ["import, ms", loadTime],
  ["on disk, kB", kilobytes],
  ["dependencies", (name) => Object.keys(installed(name).manifest.dependencies ?? {}).length],
  ["types", hasTypes],
  ["version", (name) => installed(name).manifest.version],
];

writeFileSync(
  "docs/comparison.md",
  `# Beside other packages

Measured by \`node scripts/comparison.mjs\`, on Node ${process.versions.node}, and the ways out by
\`npm run table\`, on Node ${node}, Linux. A way out counts where both of two cleanups ran to their
end and the status stayed bare Node's; for SIGKILL and the like \`atexit\` has recipes
of \`atexit/durable\`, and the others their functions. Times say more about the machine than about
a package: believe the ratios. [bench/](../bench/README.md) has more of them.

${line(["", ...libraries])}
${line(["---", ...libraries.map(() => "--:")])}
${columns.map(([title, of]) => line([title, ...libraries.map((name) => of(name))])).join("\n")}

The size is that of all entry points and of the command, of which a program loads what
it imports: \`import "atexit"\` loads ${Math.round(statSync("dist/index.js").size / 1_000)} kB.

How to come from each: [signal-exit](from/signal-exit.md), [when-exit](from/when-exit.md),
[node-cleanup](from/node-cleanup.md), [exit-hook](from/exit-hook.md),
[async-exit-hook](from/async-exit-hook.md), [close-with-grace](from/close-with-grace.md). What
happens where they are in one program: [neighbours.md](neighbours.md).
`,
);
execFileSync("node_modules/.bin/prettier", ["--write", "docs/comparison.md"]);
