// atexit run: runs a command, and cleans up after it however it ends; also when
// this process is killed, since all cleanups are recipes.
//
//   the locks
//   the other options, in their order: each a recipe
//   the command, with its descendants: the last, so the first to go

import type { ChildProcess } from "node:child_process";
import { builtin, now } from "../platform/node-builtins.ts";
import { packageFile } from "../platform/package-files.ts";
import { printable } from "../platform/printable.ts";
import { ENDING_SIGNALS, signalNumber } from "../platform/signal-list.ts";
import { forResources, remove } from "../durable/index.ts";
import { system, systemExits } from "../platform/this-system.ts";
import { configure, count } from "../index.ts";
import { LONGEST_TIME } from "../settings/milliseconds.ts";
import { workingDirectory } from "../platform/working-directory.ts";
import { childEnvironment, killAtExit } from "../resources/child-process.ts";
import { runOptions } from "./options.ts";
import { EXIT, optionsIn, splitAtCommand, timeIn, UsageError, wordsIn } from "./arguments.ts";

/** Loads the resources where an option needs them: otherwise each start would take longer. */
const resources = () => import(packageFile("resources").href) as Promise<typeof import("../resources/index.ts")>;

/** Loads what takes leases, where one is asked for. */
const leases = () => import(packageFile("lease command").href) as Promise<typeof import("./lease.ts")>;

/** How long a holder of a lease may be silent, and how much of that the command has to end when it is lost. */
const DEFAULT_TTL = 15_000;
const MARGIN = 1 / 5;

/** The signals that are handed on. Not SIGCHLD, nor those that the terminal's driver alone sends. */
const HANDED_ON: readonly NodeJS.Signals[] = [
  ...(["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM"] as const),
  ...(["SIGXCPU", "SIGTRAP", "SIGSYS", "SIGIO", "SIGPWR", "SIGSTKFLT", "SIGWINCH", "SIGPIPE", "SIGURG"] as const),
  ...(["SIGXFSZ", "SIGCONT", "SIGTSTP", "SIGBREAK"] as const),
];

/** The signals that a terminal sends to the whole process group, and so to the command as well. */
const OF_THE_TERMINAL = new Set<NodeJS.Signals>(["SIGINT", "SIGQUIT", "SIGWINCH", "SIGTSTP"]);

/** How long descendants that the command has left may take, in milliseconds. */
const DEFAULT_GRACE = 5_000;

export async function runCommand(args: readonly string[]): Promise<void> {
  const [own, command] = splitAtCommand(args, runOptions);
  const { values, tokens } = optionsIn(own, runOptions);
  const [program, ...rest] = command;
  if (program === undefined) throw new UsageError("atexit run needs a command: atexit run -- COMMAND…");
  const ttl = values.ttl === undefined ? DEFAULT_TTL : timeIn("--ttl", values.ttl);
  const given = values.grace === undefined ? undefined : timeIn("--grace", values.grace);
  // Who has lost a lease must have ended before others can have it.
  const grace = given ?? (values.lease === undefined ? undefined : ttl * MARGIN);
  if (values.lease !== undefined && (grace as number) > ttl / 2) {
    throw new UsageError(
      "--grace is at most half of --ttl: when a lease is lost the command ends before others have it",
    );
  }
  const wait = values.wait === undefined ? 0 : timeIn("--wait", values.wait);
  // The options are checked before anything is done.
  const commands = new Map((values["on-exit"] ?? []).map((text) => [text, wordsIn("--on-exit", text)]));
  for (const name of values["temp-dir"] ?? []) {
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new UsageError(`--temp-dir takes the name of a variable, and not ${name}`);
  }

  // The grace period covers the command's end and the rest: by default it is the package's.
  if (grace !== undefined) configure({ grace: Math.max(configure({}).grace, 2 * grace) });
  if (values["end-with-parent"] === true) (await resources()).endWithParent({ stdin: false });
  const env = childEnvironment(process.env);
  // The guard finds it in its environment, which is that of the first recipe; the command is not told.
  if (values.from !== undefined) process.env["ATEXIT_FROM"] = values.from;
  // Locks come before all other options: a process without the lock has nothing to clean up.
  for (const path of values.lock ?? []) await take(path, wait);
  if (values.lease !== undefined) {
    const token = await (await leases()).takeLeases(values.lease, wait, { ttl, margin: grace as number });
    env["ATEXIT_TOKEN"] = String(token);
  }
  for (const token of tokens) {
    if (token.kind !== "option" || token.value === undefined) continue;
    if (token.name === "rm") remove(token.value);
    else if (token.name === "temp-dir") env[token.value] = (await resources()).tempDir().path;
    else if (token.name === "on-exit") runAtExit(commands.get(token.value) as [string, ...string[]]);
  }
  runToItsEnd(program, rest, env, grace);
}

/** By how much a command at exit may outlast the grace period, in milliseconds. */
const MORE_TIME = 10_000;

/** Runs a command at exit. One that has not ended with the grace period is left to the guard, which waits for it. */
function runAtExit(command: readonly [string, ...string[]]): void {
  const timeout = Math.min(configure({}).grace + MORE_TIME, LONGEST_TIME);
  forResources.runSeen(runAtExit, `--on-exit ${command.join(" ")}`, command, { timeout });
}

async function take(path: string, wait: number): Promise<void> {
  const { lockFile, LockHeldError } = await resources();
  try {
    await lockFile(path, { wait });
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw error;
    const { life, state, message } = error;
    const advice = life === "dead" ? "Wait for it" : "Stop that process, or wait for it";
    process.stderr.write(`atexit: ${life === "unknown" ? message : `${state} ${advice} with --wait 30s.`}\n`);
    process.exit(EXIT.held);
  }
}

function runToItsEnd(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  grace: number | undefined,
): void {
  // Signals are handed on first: the command is to hear them from its first moment.
  let command: ChildProcess | undefined;
  const stop = handOn(
    (signal) => sendTo(command, signal),
    () => command?.pid,
    grace,
  );
  const { file, args: given, isVerbatim = false } = system.commandLineOf(program, args, workingDirectory(), env);
  const fail = (error: NodeJS.ErrnoException): never => {
    stop();
    process.stderr.write(`atexit: ${printable(program)}: ${printable(startError(error))}\n`);
    process.exit(statusOf(error));
  };
  try {
    command = builtin("child_process").spawn(file, given, {
      stdio: "inherit",
      env,
      windowsVerbatimArguments: isVerbatim,
    });
  } catch (error) {
    return fail(error as NodeJS.ErrnoException); // all but the most common reasons
  }
  command.once("error", fail);
  if (command.pid === undefined) return;
  // A command that is over in a moment needs no guard.
  killAtExit(runCommand, command, { grace: grace ?? DEFAULT_GRACE, env }, true);
  command.once("exit", (code, signal) => {
    // The process ends here where nothing is left to clean up.
    if (signal !== null || count() > 0) stop();
    if (signal === null) process.exit(code);
    else endBy(signal);
  });
}

/** Sends by the pid: where Deno's `kill()` sends a signal, it takes that for the command's end, whatever that is. */
function sendTo(command: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (command?.pid === undefined || command.exitCode !== null || command.signalCode !== null) return;
  try {
    process.kill(command.pid, signal);
  } catch {
    // It has ended this very moment.
  }
}

function startError({ code = "", message }: NodeJS.ErrnoException): string {
  if (NOT_FOUND.has(code)) return "there is no such command";
  if (code === "EACCES") return "it cannot be executed: see its mode";
  if (code === "ETXTBSY") return "it cannot be executed: somebody is writing it";
  return message;
}

const NOT_FOUND = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);
const CANNOT_EXECUTE = new Set(["EACCES", "EPERM", "ENOEXEC", "ETXTBSY", "E2BIG"]);

/** As shells have it. */
function statusOf({ code = "" }: NodeJS.ErrnoException): number {
  return NOT_FOUND.has(code) ? EXIT.notFound : CANNOT_EXECUTE.has(code) ? EXIT.cannotExecute : EXIT.itself;
}

/** Hands signals on to the command. @returns a function that ends that */
function handOn(
  send: (signal: NodeJS.Signals) => void,
  pid: () => number | undefined,
  grace: number | undefined,
): () => void {
  const listeners: [NodeJS.Signals, () => void][] = [];
  let killer: NodeJS.Timeout | undefined;
  for (const signal of HANDED_ON) {
    if (signalNumber(signal) === undefined) continue;
    const listener = () => {
      if (isToBeSent(signal, pid())) send(signal);
      if (signal === "SIGTSTP") stopWith(pid());
      if (signal === "SIGTERM" && grace !== undefined) {
        killer ??= setTimeout(send, grace, "SIGKILL");
      }
    };
    process.on(signal, listener);
    listeners.push([signal, listener]);
  }
  return () => {
    clearTimeout(killer);
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

/**
 * Reports whether the command does not get a signal by itself. On Windows a console
 * tells all that are on it, and to send a signal would end the command at once.
 */
function isToBeSent(signal: NodeJS.Signals, command: number | undefined): boolean {
  if (!system.hasSignals) return signal === "SIGTERM";
  return !OF_THE_TERMINAL.has(signal) || !system.isInForeground() || isInAnotherGroup(command);
}

/** Reports whether the command has left this process's group, which alone a terminal tells: as timeout(1) does, and setsid(1). */
function isInAnotherGroup(command: number | undefined): boolean {
  const [group, own] = [command, process.pid].map((pid) => pid && system.childOf(pid)?.group);
  return group !== undefined && own !== undefined && group !== own;
}

/** How long a command may take to stop, in milliseconds: an editor puts its screen away first. */
const STOPS_WITHIN = 1_000;

/**
 * Stops when the command has: it may catch the signal, and in an orphaned
 * process group the system stops no process. Source: setpgid(2), signal(7).
 */
function stopWith(pid: number | undefined): void {
  const end = now() + STOPS_WITHIN;
  const look = () => {
    const state = system.stateOf(pid);
    if (state === "T") process.kill(process.pid, "SIGSTOP");
    else if (state !== undefined && now() < end) setTimeout(look, 5).unref();
  };
  look();
}

/** How long a signal to this process may take, in milliseconds. Deno has nothing to wait for until it arrives. */
const ARRIVES_WITHIN = 1_000;

/** Ends by a signal, as the command has, when all is cleaned up. */
function endBy(signal: NodeJS.Signals): void {
  // Where it would end this process before anything is cleaned up.
  if (!system.hasSignals) process.exit(systemExits.statusOfSignal?.(signal) ?? 1);
  if (ENDING_SIGNALS.includes(signal) && count() > 0) {
    setTimeout(() => {}, ARRIVES_WITHIN);
    process.kill(process.pid, signal);
    return;
  }
  // The first process of a container dies of no signal.
  if (process.pid !== 1) {
    process.once("exit", () => {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  }
  process.exit(128 + (signalNumber(signal) ?? 0));
}
