// atexit ps, recover, log: lists pending recipes, carries out those of dead
// processes, and shows the log of replays.

import { forResources, recover, type Replayed, replays } from "../durable/index.ts";
import { printable, printableJson } from "../platform/printable.ts";
import { pendingIn } from "../durable/replay/list-pending.ts";
import { logOptions, psOptions, recoverOptions } from "./options.ts";
import { ageOf, painter, progress, say } from "./terminal.ts";
import { EXIT, optionsIn, refuseOperands, UsageError } from "./arguments.ts";

export async function psCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, psOptions);
  refuseOperands(positionals);
  const owners = pendingIn(forResources.directory).filter(({ life, pending }) => life !== "dead" && pending.length > 0);
  if (values.json === true) return say(printableJson(owners, 2));
  if (owners.length === 0) return say("No live process has anything pending.");
  const paint = painter(process.stdout);
  for (const { pid, since, program, life, pending } of owners) {
    const doubt = life === "unknown" ? paint("yellow", "  (nobody can tell from here whether it is alive)") : "";
    say(`${paint("bold", String(pid).padStart(7))}  ${ageOf(since).padStart(4)}  ${printable(program)}${doubt}`);
    for (const { title } of pending) say(`               ${printable(title)}`);
  }
}

export async function recoverCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, recoverOptions);
  refuseOperands(positionals);
  const dryRun = values["dry-run"] === true;
  const over = progress("Carrying out what dead processes have left");
  let replayed: Replayed[];
  try {
    replayed = await recover({ dryRun });
  } finally {
    over();
  }
  if (values.json === true) say(printableJson(replayed, 2));
  else if (replayed.length === 0) say("Dead processes have left nothing.");
  else replayed.forEach(show);
  if (replayed.some(({ outcome }) => !["done", "gone", "pending"].includes(outcome))) process.exitCode = EXIT.failed;
}

export async function logCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, logOptions);
  refuseOperands(positionals);
  const lines = values.lines === undefined ? Infinity : Number(values.lines);
  if (!(lines > 0)) throw new UsageError(`--lines takes a number, and not ${values.lines}`);
  const entries = lines === Infinity ? replays() : replays().slice(-lines);
  if (values.json === true) return say(printableJson(entries, 2));
  if (entries.length === 0) return say("Nothing was ever carried out for a dead process here.");
  entries.forEach(show);
}

const COLOURS = {
  done: "green",
  gone: "gray",
  pending: "cyan",
  failed: "red",
  "given up": "red",
  refused: "red",
  "left alone": "yellow",
} as const;

function show({ at, outcome, title, owner, why, took }: Replayed): void {
  const paint = painter(process.stdout);
  const whose = owner === undefined ? "" : paint("gray", `  for ${owner.pid} (${printable(owner.program)})`);
  const time = took === undefined ? "" : paint("gray", `  ${Math.round(took)} ms`);
  say(`${printable(at)}  ${paint(COLOURS[outcome], outcome.padEnd(10))}  ${printable(title)}${time}${whose}`);
  if (why !== undefined) say(`${" ".repeat(26)}${printable(why)}`);
}
