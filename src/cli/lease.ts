// What the command does with leases: takes one for `atexit run`, lists those of an
// engine, and applies PostgreSQL's schema. The engine is where --from says.

import { printable, printableJson } from "../platform/printable.ts";
import { type EngineOptions, type Lease, lease, LeaseHeldError } from "../lease/index.ts";
import { migrate } from "../postgres/index.ts";
import { EXIT, optionsIn, refuseOperands, UsageError } from "./arguments.ts";
import { addressIn, openEngine } from "./open-engine.ts";
import { migrateOptions, psOptions } from "./options.ts";
import { ageOf, painter, say } from "./terminal.ts";

/** Takes leases for `atexit run`; ends the process with 75 where one is held or lost. */
export async function takeLeases(names: readonly string[], wait: number, options: EngineOptions): Promise<bigint> {
  const { engine } = openEngine(addressIn(undefined), options);
  let token = 0n;
  for (const name of names) {
    let held: Lease;
    try {
      held = await lease(engine, name, { wait });
    } catch (error) {
      if (!(error instanceof LeaseHeldError)) throw error;
      process.stderr.write(`atexit: ${error.message.replace("with { wait }", "with --wait 30s")}\n`);
      process.exit(EXIT.held);
    }
    ({ token } = held);
    held.signal.addEventListener("abort", () => {
      const { reason, message } = held.signal.reason as { reason: string; message: string };
      if (reason === "released") return;
      process.stderr.write(`atexit: ${message}\n`);
      process.exit(EXIT.held);
    });
  }
  return token;
}

export async function leasesCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, psOptions);
  refuseOperands(positionals);
  const { list, recipes, close } = openEngine(addressIn(values.from), {});
  try {
    const rows = await list();
    const planted = await recipes().catch(refusedTo);
    if (values.json === true) return say(printableJson({ leases: rows, recipes: planted ?? null }, 2));
    if (rows.length + (planted?.length ?? 0) === 0) say("Nobody holds a lease there, and nothing is planted.");
    const paint = painter(process.stdout);
    for (const { name, token, since, who, isOver } of rows) {
      const over = isOver ? paint("yellow", "  (silent for too long: the next who asks has it)") : "";
      say(`${paint("bold", printable(name))}  token ${token}  ${ageOf(since)}${over}`);
      say(`    process ${who.pid} on ${printable(who.host ?? "?")} (${printable(who.program ?? "?")})`);
    }
    for (const { action, args: given, plantedAt, who, isDeadLetter, isOwnerDead } of planted ?? []) {
      const state = isDeadLetter ? "  (a dead letter)" : isOwnerDead ? "  (its owner is dead: a keeper's)" : "";
      say(
        `${paint("bold", printable(action))}(${printable(given.slice(1, -1))})  ${ageOf(plantedAt)}${paint("yellow", state)}`,
      );
      say(`    process ${who.pid} on ${printable(who.host ?? "?")} (${printable(who.program ?? "?")})`);
    }
    if (planted === undefined) say("What is planted is shown to keepers: atexit migrate --keeper ROLE.");
  } finally {
    await close();
  }
}

/** What is planted is not for every user's eyes; a schema may be older than recipes. */
function refusedTo(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "42501" && code !== "42883") throw error;
}

export async function migrateCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, migrateOptions);
  refuseOperands(positionals);
  const { client, close } = openEngine(addressIn(values.from), {});
  try {
    if (client === undefined) throw new UsageError("etcd takes no schema: atexit migrate is for PostgreSQL");
    await migrate(client, { grant: values.grant ?? [], keepers: values.keeper ?? [] });
    say("The schema atexit is up to date.");
  } finally {
    await close();
  }
}
