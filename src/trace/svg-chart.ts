// Draws a shutdown as one SVG file that needs nothing else, in the colours that
// its reader prefers.

import { escaped } from "./escape-html.ts";
import { axisOf, barsOf, duration, headline, labelOf, leftOutOf, summary, tick } from "./chart-layout.ts";
import { fitted, widthOf } from "./paint.ts";
import { classOf, detailsOf, longest, ownClassOf } from "./rows.ts";
import { inScopes } from "./scope-rows.ts";
import { lengthOf, type Row, type ShutdownHistory } from "./shutdown-history.ts";
import { readAsset } from "../platform/package-files.ts";

/** Sizes, in pixels. */
const WIDTH = 960;
const MARGIN = 16;
const ROW = 20;
const BAR = 12;
const LONGEST_NAME = 260;

/** The assumed width of a column of text, in pixels: no browser is asked. */
const COLUMN = 6.7;

/** The assumed width of a column where nothing may be beneath the text, in pixels. */
const WIDE_COLUMN = 7.5;

const STYLE = `
text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--text); stroke: var(--paper); stroke-width: 4px; paint-order: stroke; }
.title { font-weight: 600; font-size: 14px; }
.quiet { fill: var(--quiet); }
.paper { fill: var(--paper); }
.grid { stroke: var(--line); }
.deadline { stroke: var(--failed); stroke-dasharray: 4 3; }
.queued { stroke: var(--line); stroke-width: 2; }
.bar { fill: var(--colour); }
`;

/** @param limit how many rows it has */
export function svgOf(history: ShutdownHistory, limit = 200): string {
  const { length, deadline, ticks } = axisOf(history);
  const kept = longest(history.rows, limit);
  const rows = inScopes(kept);
  const nameColumns = Math.floor(LONGEST_NAME / WIDE_COLUMN);
  const names = rows.map(({ name, within }) =>
    fitted(within === undefined ? name : `└ ${name}`, nameColumns).trimEnd(),
  );
  const widest = names.reduce((width, name) => Math.max(width, widthOf(name) * WIDE_COLUMN), 40);
  const left = MARGIN + Math.min(LONGEST_NAME, widest) + 10;
  const chart = WIDTH - MARGIN - left;
  const x = (time: number) => round(left + (time / length) * chart);
  const top = 74;
  const bottom = top + rows.length * ROW + 4;
  const hidden = history.rows.length - kept.length;
  const isFree = (time: number) => deadline === undefined || Math.abs(x(time) - x(deadline)) > 30;
  const notes = [hidden > 0 ? `not shown: ${hidden} shorter ones` : undefined, leftOutOf(history)].filter(
    (note) => note,
  );
  const height = bottom + notes.length * ROW + MARGIN;
  const title = `Shutdown of ${headline(history)}`;
  const text = (at: number, y: number, what: string, more = "") =>
    `<text x="${round(at)}" y="${y}"${more}>${escaped(what)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(summary(history))}</desc>
<style>${readAsset("trace/colours.css")}${STYLE}</style>
<rect class="paper" width="100%" height="100%" rx="6"/>
${text(MARGIN, 26, headline(history), ' class="title"')}
${text(MARGIN, 44, summary(history), ' class="quiet"')}
${ticks
  .map(
    (time) =>
      `<line class="grid" x1="${x(time)}" x2="${x(time)}" y1="${top - 6}" y2="${bottom}"/>${isFree(time) ? text(x(time), top - 10, tick(time), ' class="quiet" text-anchor="middle"') : ""}`,
  )
  .join("\n")}
${
  deadline === undefined
    ? ""
    : `<line class="deadline" x1="${x(deadline)}" x2="${x(deadline)}" y1="${top - 22}" y2="${bottom}"/>${text(x(deadline) - 4, top - 24, "deadline", ' class="quiet" text-anchor="end"')}`
}
${rows.map((row, index) => rowOf(row, names[index] as string, top + index * ROW)).join("\n")}
${notes.map((note, index) => text(MARGIN, bottom + (index + 1) * ROW, note as string, ' class="quiet"')).join("\n")}
</svg>
`;

  function rowOf(row: Row, name: string, y: number): string {
    const bars = barsOf(row, history);
    const middle = y + ROW / 2;
    const baseline = middle + 4;
    const drawn = bars.map(({ kind, from, to }) => {
      const colour = kind === "replayed" ? classOf(row.outcome) : ownClassOf(row);
      const width = Math.max(2, round(((to - from) / length) * chart));
      return `<rect class="bar ${colour}" x="${x(from)}" y="${middle - BAR / 2}" width="${width}" height="${BAR}" rx="2"/>`;
    });
    const [first] = bars;
    const isQueued = row.n !== undefined && row.within === undefined && first?.kind === "ran";
    if (isQueued && first.from > 0) {
      drawn.unshift(`<line class="queued" x1="${x(0)}" x2="${x(first.from)}" y1="${middle}" y2="${middle}"/>`);
    }
    const label = labelOf(row, history);
    const end = x(bars.at(-1)?.to ?? 0) + 6;
    const fits = end + widthOf(label) * COLUMN <= WIDTH - MARGIN || bars.length === 0;
    const beside = fits
      ? text(end, baseline, label)
      : text(x((first as { from: number }).from) - 6, baseline, label, ' text-anchor="end"');
    const hover = [`${row.name}: ${label === "" ? duration(lengthOf(row)) : label}`, ...detailsOf(row, history)].join(
      "\n",
    );
    return `<g>${text(MARGIN, baseline, name)}${drawn.join("")}${beside}<title>${escaped(hover)}</title></g>`;
  }
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
