// The page's script: zoom, search, the keyboard, and what is shown on hover. It
// puts text where text belongs, and makes no markup of any.

const tables = [...document.querySelectorAll(".waterfall")];
const byId = (id) => document.getElementById(id);
const search = byId("search");
const tip = byId("tip");
let current = tables[0];

const numberOf = (table, name) => Number(table.style.getPropertyValue(name));
const visibleRows = (table) => [...table.tBodies[0].rows].filter((row) => !row.hidden);

function timeText(milliseconds) {
  if (milliseconds === 0) return "0";
  return milliseconds < 1000
    ? `${Number(milliseconds.toPrecision(6))} ms`
    : `${Number((milliseconds / 1000).toPrecision(6))} s`;
}

/** Draws the marks of what is shown now, and puts each label on the side that has room. */
function draw(table) {
  const from = numberOf(table, "--from");
  const to = numberOf(table, "--to");
  const axis = table.querySelector(".axis");
  const power = 10 ** Math.floor(Math.log10((to - from) / 5));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => (to - from) / each <= 8);
  axis.replaceChildren();
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const mark = document.createElement("span");
    mark.textContent = timeText(Number(at.toPrecision(12)));
    mark.style.left = `${((at - from) / (to - from)) * 100}%`;
    axis.append(mark);
    // The line stays where the text has no room.
    if (mark.offsetLeft + mark.offsetWidth > axis.clientWidth) mark.textContent = "";
  }
  const labels = [...table.querySelectorAll(".label")];
  const width = axis.clientWidth;
  const widths = labels.map((label) => label.offsetWidth);
  labels.forEach((label, index) => {
    const x = (name) => ((Number(label.style.getPropertyValue(name)) - from) / (to - from)) * width;
    const hasRoomBehind = x("--b") + widths[index] + 10 <= width;
    label.classList.toggle("flips", !hasRoomBehind && x("--a") >= widths[index] + 10);
  });
}

function show(table, from, to) {
  const length = Number(table.dataset.length);
  const span = Math.min(length, Math.max(to - from, length / 1e6));
  const begin = Math.min(Math.max(0, from), length - span);
  table.style.setProperty("--from", begin);
  table.style.setProperty("--to", begin + span);
  draw(table);
}

/** @param at where in the picture what stays in its place is, from 0 to 1 */
function zoom(factor, at = 0.5) {
  if (current === undefined) return;
  const from = numberOf(current, "--from");
  const span = numberOf(current, "--to") - from;
  const fixed = from + span * at;
  show(current, fixed - span * factor * at, fixed + span * factor * (1 - at));
}

function pan(part) {
  if (current === undefined) return;
  const from = numberOf(current, "--from");
  const to = numberOf(current, "--to");
  show(current, from + (to - from) * part, to + (to - from) * part);
}

const showAll = () => current !== undefined && show(current, 0, Number(current.dataset.length));

byId("in").onclick = () => zoom(0.5);
byId("out").onclick = () => zoom(2);
byId("left").onclick = () => pan(-0.25);
byId("right").onclick = () => pan(0.25);
byId("all").onclick = showAll;

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const table of tables) {
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      row.tabIndex = -1;
      if (!row.hidden) found += 1;
    }
    const first = visibleRows(table)[0];
    if (first !== undefined) first.tabIndex = 0;
  }
  byId("found").textContent = words.length === 0 ? "" : `${found} found`;
  hideTip();
}
search.addEventListener("input", filter);

function showTip(row, x, y) {
  const name = row.querySelector(".name").textContent;
  const label = row.querySelector(".label").textContent;
  const more = row.querySelector(".more").textContent;
  tip.textContent = [label === "" ? name : `${name}: ${label}`, more].filter(Boolean).join("\n");
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 10) : y + 18}px`;
}

function hideTip() {
  tip.hidden = true;
}

function focusRow(row) {
  for (const other of row.parentElement.rows) other.tabIndex = -1;
  row.tabIndex = 0;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

for (const table of tables) {
  const body = table.tBodies[0];
  table.addEventListener("pointerenter", () => (current = table));
  body.addEventListener("pointermove", ({ target, clientX, clientY }) => {
    const row = target.closest("tr");
    if (row !== null) showTip(row, clientX, clientY);
  });
  body.addEventListener("pointerleave", hideTip);
  body.addEventListener("focusin", ({ target }) => {
    current = table;
    const row = target.closest("tr");
    const { left, bottom } = row.getBoundingClientRect();
    if (row.matches(":focus-visible")) showTip(row, left, bottom - 14);
  });
  body.addEventListener("focusout", hideTip);
  body.addEventListener("keydown", (event) => {
    const rows = visibleRows(table);
    const at = rows.indexOf(event.target.closest("tr"));
    const next = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: rows.length - 1,
      PageDown: at + 20,
      PageUp: at - 20,
    }[event.key];
    if (next === undefined || rows.length === 0) return;
    event.preventDefault();
    focusRow(rows[Math.max(0, Math.min(next, rows.length - 1))]);
  });
  table.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { left, width } = table.querySelector(".axis").getBoundingClientRect();
      zoom(event.deltaY < 0 ? 0.8 : 1.25, Math.max(0, Math.min(1, (event.clientX - left) / width)));
    },
    { passive: false },
  );
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (document.activeElement === search && search.value !== "") {
      search.value = "";
      filter();
    } else hideTip();
    return;
  }
  if (event.target === search) return;
  const action = {
    "/": () => search.focus(),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: showAll,
    ArrowLeft: () => pan(-0.25),
    ArrowRight: () => pan(0.25),
  }[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});

addEventListener("resize", () => tables.forEach(draw));
tables.forEach(draw);
