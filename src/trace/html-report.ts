// Shows shutdowns as one page that needs no network and trusts none of its data:
// the browser runs its only script by its hash.

import { createHash } from "node:crypto";
import { readAsset } from "../platform/package-files.ts";
import { compare, type Comparison } from "./compare-shutdowns.ts";
import { escaped } from "./escape-html.ts";
import {
  axisOf,
  barsOf,
  blame,
  criticalPath,
  duration,
  headline,
  labelOf,
  leftOutOf,
  type Link,
  summary,
  totalOf,
} from "./chart-layout.ts";
import { classOf, detailsOf, longest, ownClassOf } from "./rows.ts";
import { inScopes } from "./scope-rows.ts";
import type { Row, RowOutcome, ShutdownHistory } from "./shutdown-history.ts";

/** How many rows of blame and of the critical path are listed. */
const LISTED = 50;

/** How many shutdowns have a picture; others are only compared. */
const PICTURES = 20;

const OUTCOMES: readonly RowOutcome[] = [
  "ok",
  "failed",
  "timed out",
  "given up",
  "left to the guard",
  "done by the guard",
  "done at the next start",
  "not done",
  "cut off",
  "never ran",
];

/**
 * @param limit how many rows each shutdown has
 * @returns the page in parts: together they may be longer than a string can be
 */
export function* htmlOf(histories: readonly ShutdownHistory[], limit = 1_000): Generator<string> {
  const script = readAsset("trace/page.js");
  const hash = createHash("sha256").update(script).digest("base64");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`;
  const latest = [...histories].sort((a, b) => b.beganAt - a.beganAt);
  const shown = latest.slice(0, PICTURES);
  const [only] = histories;
  const title = histories.length === 1 && only !== undefined ? headline(only) : `${histories.length} shutdowns`;
  const rest = latest.length - shown.length;
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${readAsset("trace/colours.css")}${readAsset("trace/page.css")}</style>
</head>
<body>
<header>
<h1>${histories.length === 1 ? "A shutdown" : escaped(title)}</h1>
<div class="tools" role="toolbar" aria-label="Look closer">
<input type="search" id="search" placeholder="Search (/)" aria-label="Search the cleanups by name, place, error or outcome">
<span id="found" role="status" aria-live="polite"></span>
<button type="button" id="in" aria-label="Zoom in" title="Zoom in (+)">+</button>
<button type="button" id="out" aria-label="Zoom out" title="Zoom out (-)">−</button>
<button type="button" id="left" aria-label="Earlier" title="Earlier (←)">←</button>
<button type="button" id="right" aria-label="Later" title="Later (→)">→</button>
<button type="button" id="all" aria-label="Show the whole time" title="The whole time (0)">All</button>
</div>
</header>
<main>
`;
  for (const each of compare(histories)) yield `${comparison(each)}\n`;
  for (const history of shown) yield `${section(history, limit)}\n`;
  yield `${rest > 0 ? `<p class="quiet">${rest} earlier shutdowns are compared above, and have no picture.</p>` : ""}
</main>
<p class="legend" aria-label="Colours">${OUTCOMES.map((name) => `<span><i class="${classOf(name)}"></i>${name}</span>`).join(" ")}</p>
<div id="tip" role="tooltip" hidden></div>
<script>${script}</script>
</body>
</html>
`;
}

function section(history: ShutdownHistory, limit: number): string {
  const { length, deadline } = axisOf(history);
  const kept = longest(history.rows, limit);
  const rows = inScopes(kept);
  const hidden = history.rows.length - kept.length;
  const notes = [hidden > 0 ? `not shown: ${hidden} shorter ones` : undefined, leftOutOf(history)].filter(
    (note) => note,
  );
  const { error } = history.exit ?? {};
  const variables = `--length:${round(length)};--from:0;--to:${round(length)}${deadline === undefined ? "" : `;--deadline:${round(deadline)}`}`;
  return `<section class="shutdown" aria-label="${escaped(headline(history))}">
<h2>${escaped(headline(history))}</h2>
<p class="summary">${escaped(summary(history))}</p>
<p class="quiet">${escaped(new Date(history.beganAt).toISOString())}${history.node === undefined ? "" : `, Node.js ${escaped(history.node)}`}</p>
${error === undefined ? "" : `<details><summary>${escaped(error.split("\n", 1)[0] as string)}</summary><pre>${escaped(error)}</pre></details>`}
<table class="waterfall${deadline === undefined ? "" : " has-deadline"}" style="${variables}" data-length="${round(length)}">
<caption>Waterfall: the cleanups in the order in which they ran${deadline === undefined ? "" : "; the dashed line is the deadline"}</caption>
<thead><tr><th scope="col">Cleanup</th><th scope="col"><span class="for-reader">Time</span><div class="axis" aria-hidden="true"></div></th></tr></thead>
<tbody>
${rows.map((row, index) => rowOf(row, index, history, length)).join("\n")}
</tbody>
</table>
${notes.map((note) => `<p class="quiet">${escaped(note as string)}</p>`).join("\n")}
<div class="lists">
${blamed(history)}
${path(history)}
</div>
</section>`;
}

function rowOf(row: Row, index: number, history: ShutdownHistory, length: number): string {
  const bars = barsOf(row, history);
  const [first] = bars;
  const last = bars.at(-1);
  const drawn = bars.map(({ kind, from, to }) => {
    const colour = kind === "replayed" ? classOf(row.outcome) : ownClassOf(row);
    return `<i class="bar ${colour}" style="--a:${round(from)};--b:${round(to)}"></i>`;
  });
  const isQueued = row.n !== undefined && row.within === undefined && first?.kind === "ran";
  if (isQueued && first.from > 0) drawn.unshift(`<i class="queued" style="--a:0;--b:${round(first.from)}"></i>`);
  const at =
    first === undefined || last === undefined ? "--a:0;--b:0" : `--a:${round(first.from)};--b:${round(last.to)}`;
  const flips = last !== undefined && last.to > length * 0.75 && (first?.from ?? 0) > length * 0.2;
  const details = detailsOf(row, history).join("\n");
  const name = row.within === undefined ? row.name : `└ ${row.name}`;
  // Tab reaches one row, and the arrows the others from there.
  return `<tr class="${classOf(row.outcome)}" tabindex="${index === 0 ? 0 : -1}"><th scope="row"><span class="name">${escaped(name)}</span><span class="for-reader more">${escaped(details)}</span></th><td class="chart">${drawn.join("")}<span class="label${flips ? " flips" : ""}" style="${at}">${escaped(labelOf(row, history))}</span></td></tr>`;
}

function blamed(history: ShutdownHistory): string {
  const total = totalOf(history);
  const rows = blame(history).slice(0, LISTED);
  if (rows.length === 0) return "";
  const lines = rows.map(
    ({ row, own }) =>
      `<tr><td class="number">${duration(own)}</td><td class="number">${((own / total) * 100).toFixed(1)} %</td><th scope="row">${escaped(row.name)}</th><td class="outcome ${classOf(row.outcome)}">${escaped(row.outcome)}</td></tr>`,
  );
  return `<table class="list"><caption>Blame: the cleanups by their own time</caption>
<thead><tr><th scope="col" class="number">Own time</th><th scope="col" class="number">Share</th><th scope="col">Cleanup</th><th scope="col">Outcome</th></tr></thead>
<tbody>${lines.join("\n")}</tbody></table>`;
}

function path(history: ShutdownHistory): string {
  const total = totalOf(history);
  const lines = (links: readonly Link[], depth: number): string[] =>
    links
      .filter(({ length }) => length >= total / 100)
      .slice(0, LISTED)
      .flatMap(({ row, gap, from, length, inner }) => [
        `<tr><td class="number">${duration(from)}</td><td class="number">${duration(length)}</td><th scope="row" style="--depth:${depth}">${row === undefined ? `<em>${escaped(gap ?? "")}</em>` : escaped(row.name)}</th></tr>`,
        ...lines(inner, depth + 1),
      ]);
  const rows = lines(criticalPath(history), 0);
  if (rows.length === 0) return "";
  return `<table class="list"><caption>Critical path: what the total is made of</caption>
<thead><tr><th scope="col" class="number">At</th><th scope="col" class="number">For</th><th scope="col">What was waited for</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table>`;
}

function comparison({ program, shutdowns, median, worst, latest, failed, cleanups }: Comparison): string {
  const rows = cleanups
    .slice(0, LISTED)
    .map(
      (of) =>
        `<tr><th scope="row">${escaped(of.name)}</th><td class="number">${duration(of.median)}</td><td class="number">${duration(of.worst)}</td><td class="number">${of.latest === undefined ? "" : duration(of.latest)}</td><td class="number">${changeOf(of)}</td><td class="number">${of.shutdowns} of ${shutdowns}</td></tr>`,
    );
  return `<section><h2>${shutdowns} shutdowns of ${escaped(program)}</h2>
<p class="summary">median ${duration(median)}, worst ${duration(worst)}, latest ${duration(latest)}; ${failed} did not end well</p>
<table class="list"><caption>What changed, beside the median of those before the latest</caption>
<thead><tr><th scope="col">Cleanup</th><th scope="col" class="number">Median</th><th scope="col" class="number">Worst</th><th scope="col" class="number">Latest</th><th scope="col" class="number">Change</th><th scope="col" class="number">Ran in</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table></section>`;
}

/** Returns the text of a change: `+1.2 s`, `new`, `gone`. */
export function changeOf({ change, isNew, latest }: Comparison["cleanups"][number]): string {
  if (latest === undefined) return "gone";
  if (isNew) return "new";
  return `${(change ?? 0) < 0 ? "−" : "+"}${duration(Math.abs(change ?? 0))}`;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}
