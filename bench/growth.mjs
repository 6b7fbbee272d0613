// How the cost of one of many grows with their number, as a table and as a picture,
// docs/pictures/growth.svg:
//
//   node bench/growth.mjs [curve ...] [--rounds N]
//
// The exponent is the slope of all of them together in the picture: 1 is linear, so
// that one costs the same, however many there are.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { inPlace } from "./durable.mjs";
import { installed } from "./installed.mjs";
import { printed } from "./measure.mjs";

const CURVES = {
  sync: { title: "synchronous cleanups at exit", at: [10, 100, 1_000, 10_000, 100_000] },
  async: { title: "asynchronous cleanups at exit", at: [10, 100, 1_000, 10_000, 100_000] },
  contenders: { title: "processes at one lock, a turn", at: [1, 2, 4, 8, 16, 32, 64] },
  pending: { title: "pending recipes, one more", at: [1, 10, 100, 1_000, 10_000] },
  leftovers: { title: "files a dead process has left", at: [10, 100, 1_000, 10_000, 100_000], isGuardOff: true },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" } },
});
const chosen = Object.entries(CURVES).filter(([name]) => positionals.length === 0 || positionals.includes(name));

const packages = await installed();
const curves = [];
try {
  for (const [name, { title, at, isGuardOff }] of chosen) {
    const points = at.map((count) => [count, least(() => sample(name, count, isGuardOff))]);
    curves.push({ title, points, exponent: exponentOf(points) });
    console.error(`${title}: ${points.map(([count, cost]) => `${count}: ${cost.toFixed(1)} µs`).join(", ")}`);
  }
} finally {
  packages.remove();
}
console.log(table());
if (positionals.length === 0) writeFileSync("docs/pictures/growth.svg", picture());

function sample(name, count, isGuardOff) {
  if (isGuardOff) process.env.ATEXIT_GUARD = "off";
  try {
    return inPlace(() => printed(process.execPath, [packages.program("growth.mjs"), name, String(count)]));
  } finally {
    delete process.env.ATEXIT_GUARD;
  }
}

/** What else the machine does makes a sample greater, and never less. */
function least(take) {
  return Math.min(...Array.from({ length: Number(values.rounds) }, take));
}

/** The slope of log(all) over log(count), by least squares. */
function exponentOf(points) {
  const logs = points.map(([count, cost]) => [Math.log(count), Math.log(cost * count)]);
  const mean = (at) => logs.reduce((sum, log) => sum + log[at], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const [over, under] = logs.reduce(([a, b], log) => [a + (log[0] - x) * (log[1] - y), b + (log[0] - x) ** 2], [0, 0]);
  return over / under;
}

function table() {
  const rows = curves.map(({ title, points, exponent }) => {
    const cells = points.map(
      ([count, cost]) => `${count.toLocaleString("en")}: ${cost < 10 ? cost.toFixed(1) : Math.round(cost)}`,
    );
    return `| ${title} | ${cells.join("; ")} | ${exponent.toFixed(2)} |`;
  });
  return ["| what | how many: µs for each | exponent |", "| --- | --- | --: |", ...rows].join("\n");
}

function picture() {
  const [width, height, left, top, plotWidth, plotHeight] = [720, 420, 64, 24, 400, 340];
  const colours = ["#2563eb", "#db2777", "#059669", "#d97706", "#7c3aed"];
  const costs = curves.flatMap(({ points }) => points.map(([, cost]) => cost));
  const [low, high] = [Math.floor(Math.log10(Math.min(...costs))), Math.ceil(Math.log10(Math.max(...costs)))];
  const x = (count) => left + (Math.log10(count) / 5) * plotWidth;
  const y = (cost) => top + plotHeight - ((Math.log10(cost) - low) / (high - low)) * plotHeight;
  const text = (at, line, anchor, words, fill = "#6b7280") =>
    `<text x="${at}" y="${line}" text-anchor="${anchor}" fill="${fill}">${words}</text>`;
  const grid = [];
  for (let power = 0; power <= 5; power += 1) {
    grid.push(`<path d="M${x(10 ** power)} ${top}v${plotHeight}" stroke="#9ca3af" stroke-opacity=".3"/>`);
    grid.push(text(x(10 ** power), top + plotHeight + 18, "middle", (10 ** power).toLocaleString("en")));
  }
  for (let power = low; power <= high; power += 1) {
    grid.push(`<path d="M${left} ${y(10 ** power)}h${plotWidth}" stroke="#9ca3af" stroke-opacity=".3"/>`);
    grid.push(text(left - 8, y(10 ** power) + 4, "end", `${(10 ** power).toLocaleString("en")} µs`));
  }
  const lines = curves.map(({ title, points, exponent }, n) => {
    const path = points.map(
      ([count, cost], at) => `${at === 0 ? "M" : "L"}${x(count).toFixed(1)} ${y(cost).toFixed(1)}`,
    );
    const dots = points.map(
      ([count, cost]) => `<circle cx="${x(count).toFixed(1)}" cy="${y(cost).toFixed(1)}" r="3" fill="${colours[n]}"/>`,
    );
    const label = text(left + plotWidth + 16, top + 16 + n * 40, "start", title, colours[n]);
    const slope = text(left + plotWidth + 16, top + 32 + n * 40, "start", `all together: n^${exponent.toFixed(2)}`);
    return `<path d="${path.join("")}" fill="none" stroke="${colours[n]}" stroke-width="2"/>${dots.join("")}${label}${slope}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">
<title>What one of many costs, and how that grows with their number</title>
${grid.join("\n")}
${lines.join("\n")}
${text(left + plotWidth / 2, height - 10, "middle", "how many")}
</svg>
`;
}
