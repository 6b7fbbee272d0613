// ps(1) of macOS, as far as it is asked here, from a /proc that is mounted elsewhere.
// One column for each -o, as all BSDs have it: after "=" a header begins there, which
// goes on to the argument's end.

"use strict";

const fs = require("node:fs");

const PROC = process.env.MAC_LIKE_PROC;
const args = process.argv.slice(2);
const columns = [];
let only;
for (let n = 0; n < args.length; n += 1) {
  if (args[n] === "-A") continue;
  if (args[n] === "-p") only = args[(n += 1)];
  else if (args[n] === "-o" && /^[a-z]+=$/.test(args[n + 1] ?? "")) columns.push(args[(n += 1)].slice(0, -1));
  else {
    console.error(`ps: illegal argument: ${args[n]}`);
    process.exit(1);
  }
}

const bootedAt = Number(/^btime (\d+)$/m.exec(fs.readFileSync(`${PROC}/stat`, "utf8"))[1]);
const pids = fs.readdirSync(PROC).filter((name) => (only === undefined ? /^\d+$/.test(name) : name === only));
for (const pid of pids) {
  let stat;
  try {
    stat = fs.readFileSync(`${PROC}/${pid}/stat`, "utf8");
  } catch {
    continue;
  }
  const [state, ppid, pgid, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // "Fri Nov 27 16:00:00 2026"
  const [day, month, date, year, time] = String(new Date((bootedAt + Number(rest[16]) / 100) * 1_000)).split(" ");
  const values = { pid, ppid, pgid, stat: state, lstart: `${day} ${month} ${date.replace(/^0/, " ")} ${time} ${year}` };
  console.log(columns.map((column) => values[column].padStart(5)).join(" "));
}
if (pids.length === 0) process.exitCode = 1;
