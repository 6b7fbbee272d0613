// Prints a shutdown as text: the waterfall, the blame, and the critical path.

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
  tick,
  totalOf,
} from "./chart-layout.ts";
import { printable } from "../platform/printable.ts";
import { fitted, type Paint, painterFor, type Style, widthOf } from "./paint.ts";
import { longest } from "./rows.ts";
import { inScopes } from "./scope-rows.ts";
import { lengthOf, type Row, type RowOutcome, type ShutdownHistory } from "./shutdown-history.ts";

export interface Terminal {
  readonly paint: Paint;
  /** In columns. */
  readonly width: number;
}

interface Options {
  /** Whether only the most important lines are shown. */
  isBrief?: boolean;
  /** The number of rows. */
  rows?: number;
}

const COLOURS: Readonly<Record<RowOutcome, Style>> = {
  ok: "green",
  failed: "red",
  "timed out": "yellow",
  "given up": "magenta",
  "left to the guard": "cyan",
  "cut off": "red",
  "never ran": "gray",
  "done by the guard": "cyan",
  "done at the next start": "blue",
  "not done": "red",
};

const INDENT = "  ";

/** How wide names may be, in columns. */
const LONGEST_NAME = 28;

/** How many rows a report on standard error has. */
const BRIEF_ROWS = 20;

const ROWS = 50;

export function forTerminal(
  environment: NodeJS.ProcessEnv,
  isTerminal: boolean,
  columns: number | undefined,
): Terminal {
  const width = columns ?? (Number(environment["COLUMNS"]) || 80);
  return { paint: painterFor(isTerminal, environment), width: Math.max(40, Math.min(width, 200)) };
}

/** @returns lines, each with its end */
export function inTerminal(
  history: ShutdownHistory,
  terminal: Terminal,
  { isBrief = false, rows }: Options = {},
): string {
  const limit = rows ?? (isBrief ? BRIEF_ROWS : ROWS);
  const sections = [waterfall(history, terminal, limit)];
  if (!isBrief) sections.push(blamed(history, terminal, limit), path(history, terminal, limit));
  return `${sections.flat().join("\n")}\n`;
}

function waterfall(history: ShutdownHistory, { paint, width }: Terminal, limit: number): string[] {
  const lines = [paint("bold", printable(headline(history))), printable(summary(history))];
  const { error } = history.exit ?? {};
  if (error !== undefined) lines.push(paint("red", fitted(printable(firstLine(error)), width).trimEnd()));
  const kept = longest(history.rows, limit);
  const isShown = new Set(kept);
  const hidden = history.rows.filter((row) => !isShown.has(row));
  const shown = inScopes(kept);
  const names = shown.map(nameOf);
  const nameWidth = names.reduce((width, name) => Math.max(width, Math.min(LONGEST_NAME, widthOf(name))), 4);
  const chart = new Chart(history, paint, width - INDENT.length - nameWidth - 1);
  lines.push("", ...chart.axis(nameWidth));
  shown.forEach((row, index) => {
    lines.push(`${INDENT}${fitted(names[index] as string, nameWidth)} ${chart.row(row)}`.trimEnd());
    const notes = [...(row.waitingOn ?? []).map((text) => `waiting on ${text}`), firstLine(row.error), row.replay?.why];
    for (const text of notes) if (text !== undefined) lines.push(...note(text, nameWidth, width, paint));
  });
  if (hidden.length > 0) {
    const total = hidden.reduce((sum, row) => sum + lengthOf(row), 0);
    lines.push(paint("gray", `${INDENT}not shown: ${hidden.length} shorter ones, ${duration(total)} together`));
  }
  const leftOut = leftOutOf(history);
  if (leftOut !== undefined) lines.push(paint("gray", `${INDENT}${leftOut}`));
  return lines;
}

function nameOf({ name, within }: Row): string {
  return printable(within === undefined ? name : `└ ${name}`);
}

function firstLine(text: string | undefined): string | undefined {
  return text?.split("\n", 1)[0];
}

/** Returns a note beneath a row, wrapped where it is long. */
function note(text: string, indent: number, width: number, paint: Paint): string[] {
  const margin = " ".repeat(INDENT.length + Math.min(indent, 4) + 1);
  const room = width - margin.length;
  const lines: string[] = [];
  for (const word of printable(text).split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= room) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line, index) => `${margin}${paint("gray", index === 0 ? line : `  ${line}`)}`);
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A cell of a line of the chart. */
interface Cell {
  readonly text: string;
  readonly style: Style | undefined;
}

const EMPTY: Cell = { text: " ", style: undefined };

class Chart {
  readonly #history: ShutdownHistory;
  readonly #paint: Paint;
  readonly #width: number;
  readonly #perCell: number;
  readonly #deadline: number | undefined;
  readonly #ticks: readonly number[];

  constructor(history: ShutdownHistory, paint: Paint, width: number) {
    const { length, deadline, ticks } = axisOf(history);
    this.#history = history;
    this.#paint = paint;
    this.#width = width;
    this.#perCell = length / width;
    this.#deadline = deadline === undefined ? undefined : Math.min(width - 1, Math.floor(deadline / this.#perCell));
    this.#ticks = ticks;
  }

  axis(nameWidth: number): string[] {
    const cells = Array.from({ length: this.#width }, () => " ");
    const put = (text: string, at: number) => {
      const from = Math.max(0, Math.min(at, this.#width - text.length));
      const room = cells.slice(Math.max(0, from - 1), from + text.length + 1);
      if (room.every((cell) => cell === " ")) cells.splice(from, text.length, ...text);
    };
    if (this.#deadline !== undefined) put("deadline", this.#deadline - "deadline".length + 1);
    for (const at of this.#ticks) put(tick(at), Math.floor(at / this.#perCell));
    return [`${" ".repeat(INDENT.length + nameWidth + 1)}${this.#paint("gray", cells.join("").trimEnd())}`];
  }

  row(row: Row): string {
    const cells = Array.from({ length: this.#width }, () => EMPTY);
    const bars = barsOf(row, this.#history);
    if (this.#deadline !== undefined) cells[this.#deadline] = { text: "│", style: "red" };
    const [first] = bars;
    // A cleanup is queued until its turn.
    const isQueued = row.n !== undefined && row.within === undefined && first?.kind === "ran";
    if (isQueued) this.#fill(cells, 0, Math.floor(first.from / this.#perCell), { text: "·", style: "gray" });
    for (const { kind, from, to } of bars)
      this.#bar(cells, from, to, kind === "replayed" ? replayColour(row) : barColour(row));
    this.#label(cells, row, bars);
    return this.#painted(cells);
  }

  #bar(cells: Cell[], from: number, to: number, style: Style): void {
    const start = Math.min(this.#width - 1, Math.floor(from / this.#perCell));
    const eighths = Math.max(1, Math.round(((to - from) / this.#perCell) * 8));
    const whole = Math.floor(eighths / 8);
    this.#fill(cells, start, start + whole, { text: "█", style });
    const rest = EIGHTHS[eighths % 8] as string;
    if (rest !== "" && start + whole < this.#width) cells[start + whole] = { text: rest, style };
  }

  /** Puts the label behind the bar, or before it where there is no room. */
  #label(cells: Cell[], row: Row, bars: readonly { readonly from: number; readonly to: number }[]): void {
    const text = [" ", ...printable(labelOf(row, this.#history)), " "];
    const last = bars.at(-1);
    const end =
      last === undefined ? -1 : cells.findLastIndex(({ text }) => text !== " " && text !== "·" && text !== "│") + 1;
    const before =
      last === undefined ? 0 : Math.floor((bars[0] as { from: number }).from / this.#perCell) - text.length;
    const at = end + text.length - 1 <= this.#width ? end : Math.max(0, before);
    const style = row.outcome === "ok" ? undefined : COLOURS[row.outcome];
    text.forEach((character, index) => {
      if (at + index >= 0 && at + index < this.#width) cells[at + index] = { text: character, style };
    });
  }

  #fill(cells: Cell[], from: number, to: number, cell: Cell): void {
    for (let at = from; at < Math.min(to, this.#width); at += 1) cells[at] = cell;
  }

  /** Paints cells of one style together. */
  #painted(cells: readonly Cell[]): string {
    let painted = "";
    for (let from = 0; from < cells.length;) {
      const { style } = cells[from] as Cell;
      let to = from;
      while (to < cells.length && cells[to]?.style === style) to += 1;
      const text = cells
        .slice(from, to)
        .map((cell) => cell.text)
        .join("");
      painted += style === undefined ? text : this.#paint(style, text);
      from = to;
    }
    return painted;
  }
}

/** Returns the colour of a row's outcome in its own process. */
function barColour({ outcome, endedAt, replay }: Row): Style {
  if (replay === undefined) return COLOURS[outcome];
  return endedAt === undefined ? COLOURS["cut off"] : COLOURS["given up"];
}

function replayColour({ outcome }: Row): Style {
  return COLOURS[outcome];
}

function blamed(history: ShutdownHistory, { paint, width }: Terminal, limit: number): string[] {
  const total = totalOf(history);
  const rows = blame(history).slice(0, Math.min(limit, 15));
  if (rows.length === 0) return [];
  const lines = rows.map(({ row, own }) => {
    const share = `${((own / total) * 100).toFixed(own / total < 0.0995 ? 1 : 0)} %`;
    const outcome = row.outcome === "ok" ? "" : `  ${paint(COLOURS[row.outcome], row.outcome)}`;
    const site = row.site === undefined ? "" : `  ${paint("gray", printable(row.site))}`;
    const start = `${INDENT}${duration(own).padStart(9)}  ${share.padStart(6)}  `;
    return `${start}${fitted(printable(row.name), Math.min(LONGEST_NAME, width - start.length)).trimEnd()}${outcome}${site}`;
  });
  return ["", paint("bold", "Blame: the cleanups by their own time"), ...lines];
}

function path(history: ShutdownHistory, { paint, width }: Terminal, limit: number): string[] {
  const total = totalOf(history);
  const isShort = ({ length }: Link) => length < total / 100;
  const lines = (links: readonly Link[], depth: number): string[] => {
    const long = links.filter((link) => !isShort(link)).slice(0, limit);
    const isLong = new Set(long);
    const short = links.filter((link) => !isLong.has(link));
    const rows = long.flatMap((link) => {
      const indent = "  ".repeat(depth);
      const start = `${INDENT}${`@${duration(link.from)}`.padStart(10)}  ${`+${duration(link.length)}`.padStart(10)}  ${indent}`;
      const name =
        link.row === undefined
          ? paint("gray", `(${link.gap})`)
          : paint(
              COLOURS[link.row.outcome],
              fitted(printable(link.row.name), Math.max(8, width - start.length)).trimEnd(),
            );
      return [`${start}${name}`, ...lines(link.inner, depth + 1)];
    });
    const rest = short.reduce((sum, { length }) => sum + length, 0);
    if (short.length > 0 && rest >= total / 100)
      rows.push(
        paint(
          "gray",
          `${INDENT}${" ".repeat(12)}${`+${duration(rest)}`.padStart(10)}  (${short.length} shorter parts)`,
        ),
      );
    return rows;
  };
  const rows = lines(criticalPath(history), 0);
  return rows.length === 0 ? [] : ["", paint("bold", "Critical path: what the total is made of"), ...rows];
}
