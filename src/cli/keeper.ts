// atexit keeper, recover --from and dead-letters: carries out what dead owners have
// left in an engine, for ever or once, and shows what could not be.

import { start } from "../app/index.ts";
import { exiting } from "../index.ts";
import { type Carried, keeper, type KeeperOptions, recoverFrom } from "../keeper/index.ts";
import type { EngineOptions } from "../lease/index.ts";
import { builtin } from "../platform/node-builtins.ts";
import { printable, printableJson } from "../platform/printable.ts";
import { EXIT, optionsIn, refuseOperands, timeIn, UsageError } from "./arguments.ts";
import { addressIn, FROM, type Opened, openEngine } from "./open-engine.ts";
import { deadLettersOptions, keeperOptions, recoverFromOptions } from "./options.ts";
import { ageOf, painter, progress, say } from "./terminal.ts";

const OUTCOMES = ["carried", "failed", "dead letter", "refused"] as const;

export async function keeperCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, keeperOptions);
  refuseOperands(positionals);
  const module = moduleIn(values.actions);
  const options: KeeperOptions = {
    from: allowedIn(values.allow ?? []),
    ...(values.concurrency === undefined ? {} : { concurrency: Number(values.concurrency) }),
    ...(values.tries === undefined ? {} : { tries: Number(values.tries) }),
    ...(values.timeout === undefined ? {} : { timeout: timeIn("--timeout", values.timeout) }),
  };
  const { engine, close } = open(values.from, values.ttl);
  const probes = values.probes === undefined ? {} : { probes: { port: Number(values.probes) } };
  const app = await start("atexit-keeper", { lock: false, log: false, quiet: true, ...probes });
  app.use({ close }, ({ close: end }) => end());
  const onError = ({ message }: Error) => say(printableJson({ at: now(), outcome: "no answer", error: message }));
  const running = await keeper(engine, module, { ...options, onError });
  for (const outcome of OUTCOMES) running.on(outcome, (carried) => say(printableJson(carried)));
  say(printableJson({ at: now(), outcome: "keeping", engine: engine.name, module: module.href }));
  await app.ready();
  await new Promise((resolve) => exiting.addEventListener("abort", resolve));
}

export async function recoverFromCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, recoverFromOptions);
  refuseOperands(positionals);
  const module = moduleIn(values.actions);
  const { engine, close } = open(values.from, values.ttl);
  const over = progress("Looking who is silent, and carrying out what they have left");
  let carried: Carried[];
  try {
    carried = await recoverFrom(engine, module, { from: allowedIn(values.allow ?? []), onError: () => {} }); // it rejects
  } finally {
    over();
    await close();
  }
  if (values.json === true) say(printableJson(carried, 2));
  else if (carried.length === 0) say("Dead owners have left nothing.");
  else carried.forEach(show);
  if (carried.some(({ outcome }) => outcome !== "carried")) process.exitCode = EXIT.failed;
}

export async function deadLettersCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, deadLettersOptions);
  refuseOperands(positionals);
  const opened = open(values.from, undefined);
  try {
    for (const [ids, isRetry] of [
      [values.retry ?? [], true],
      [values.forget ?? [], false],
    ] as const) {
      for (const id of ids) await settle(opened, id, isRetry);
    }
    if (values.retry !== undefined || values.forget !== undefined) return;
    const letters = (await opened.recipes()).filter(({ isDeadLetter }) => isDeadLetter);
    if (values.json === true) say(printableJson(letters, 2));
    else if (letters.length === 0) say("There are no dead letters.");
    const paint = painter(process.stdout);
    for (const { id, action, args: given, plantedAt, tries, error, who } of values.json === true ? [] : letters) {
      say(
        `${paint("bold", printable(action))}(${printable(given.slice(1, -1))})  ${ageOf(plantedAt)}  tried ${tries} times`,
      );
      say(`    ${printable(error ?? "")}`);
      say(`    process ${who.pid} on ${printable(who.host ?? "?")} (${printable(who.program ?? "?")})`);
      say(paint("gray", `    ${id}`));
    }
    if (letters.length > 0) process.exitCode = EXIT.failed;
  } finally {
    await opened.close();
  }
}

function now(): string {
  return new Date().toISOString();
}

async function settle({ settleDeadLetter }: Opened, id: string, isRetry: boolean): Promise<void> {
  if (!/^[\da-f-]{36}\/\d+$/.test(id)) throw new UsageError(`${id} is no dead letter: atexit dead-letters lists them`);
  if (await settleDeadLetter(id, isRetry)) return say(`${id} ${isRetry ? "is tried again" : "is forgotten"}.`);
  process.stderr.write(`atexit: there is no dead letter ${id}\n`);
  process.exitCode = EXIT.failed;
}

function open(from: string | undefined, ttl: string | undefined): Opened {
  const url = addressIn(from);
  process.env[FROM] = url; // for the guard of this process
  const options: EngineOptions = ttl === undefined ? {} : { ttl: timeIn("--ttl", ttl) };
  return openEngine(url, { label: "atexit keeper", ...options });
}

function moduleIn(file: string | undefined): URL {
  if (file === undefined) throw new UsageError("--actions takes the file that exports the actions");
  return builtin("url").pathToFileURL(file);
}

/** Reads `action=user,user`. */
function allowedIn(given: readonly string[]): Record<string, string[]> {
  const allowed: Record<string, string[]> = {};
  for (const one of given) {
    const [action = "", users = ""] = one.split("=", 2);
    if (action === "" || users === "") throw new UsageError(`--allow takes ACTION=USER,USER, and not ${one}`);
    (allowed[action] ??= []).push(...users.split(","));
  }
  return allowed;
}

const COLOURS = { carried: "green", failed: "red", "dead letter": "red", refused: "red" } as const;

function show({ at, outcome, action, args, error, took, owner }: Carried): void {
  const paint = painter(process.stdout);
  const whose = paint(
    "gray",
    `  for ${owner.pid} on ${printable(owner.host ?? "?")} (${printable(owner.program ?? "?")})`,
  );
  const shown = printable(JSON.stringify(args).slice(1, -1));
  say(
    `${at}  ${paint(COLOURS[outcome], outcome.padEnd(11))}  ${printable(action)}(${shown})  ${Math.round(took)} ms${whose}`,
  );
  if (error !== undefined) say(`${" ".repeat(26)}${printable(error)}`);
}
