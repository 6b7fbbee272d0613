// Runs one command to its end, or to its time limit, and says how it failed.

import { builtin, clearTimeout, setTimeout } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { ErrorFile } from "./error-file.ts";
import { process } from "../../platform/process.ts";
import { system } from "../../platform/this-system.ts";

interface CommandOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** In milliseconds. */
  timeout: number;
  /** The name of the command in errors. */
  title: string;
  /** The name by which the command is told it was called; its path by default. */
  name?: string;
  /** The text for the command's standard input. */
  input?: string;
  /** Whether its output goes where this process's does, and is in no error. */
  inheritsOutput?: boolean;
  /** Whether it may go on without this process. */
  mayOutlive?: boolean;
  /** Called as soon as it was started. */
  started?: (pid: number) => void;
  /** Called when its time is over, before it is told to end. */
  overdue?: () => void;
}

/** How much of the standard error an error shows, in characters from the end. */
const SHOWN = 2_000;

/** How long a command has between being asked to end and being killed, in milliseconds. */
export const KILL_AFTER = 1_000;

/** How long its standard error is read after its end, in milliseconds: a program that it started may hold it open. */
const LISTEN_ON = 100;

/** By how much a command may outlast its time limit until its failure is told, on a busy machine, in milliseconds. */
export const TOLD_WITHIN = KILL_AFTER + LISTEN_ON + 1_000;

/**
 * @returns a promise of its end with status 0
 * @throws an error with the code `ERR_ATEXIT_COMMAND_FAILED`
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<void> {
  const { cwd, env, timeout, title, name = command, input, inheritsOutput = false, mayOutlive = false } = options;
  return new Promise((resolve, reject) => {
    const { file, args: given, isVerbatim = false } = system.commandLineOf(command, args, cwd, env);
    const errorFile = mayOutlive && !inheritsOutput && system.hasSignals ? ErrorFile.open() : undefined;
    const child = builtin("child_process").spawn(file, given, {
      windowsVerbatimArguments: isVerbatim,
      ...(isVerbatim ? {} : { argv0: name }),
      cwd,
      env,
      stdio: [
        input === undefined ? "ignore" : "pipe",
        inheritsOutput ? "inherit" : "ignore",
        inheritsOutput ? "inherit" : (errorFile?.fd ?? "pipe"),
      ],
      // In a process group of its own the time limit reaches the command's children, too.
      detached: system.hasSignals,
      windowsHide: true,
      shell: false,
    });
    if (child.pid !== undefined) options.started?.(child.pid);
    let shown = "";
    let overdue = false;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      shown = (shown + text).slice(-SHOWN);
    });
    child.stdin?.on("error", () => {}).end(input);
    const end = (signal: NodeJS.Signals) => {
      if (!system.hasSignals) child.kill(signal);
      else if (child.pid !== undefined) endGroup(child.pid, signal);
    };
    let killer: NodeJS.Timeout | undefined;
    const limit = setTimeout(() => {
      overdue = true;
      options.overdue?.();
      end("SIGTERM");
      killer = setTimeout(end, KILL_AFTER, "SIGKILL");
    }, timeout);
    const over = () => {
      clearTimeout(limit);
      clearTimeout(killer);
      if (overdue) end("SIGKILL");
    };
    child.once("error", (error) => {
      over();
      errorFile?.close(0);
      reject(durableError("ERR_ATEXIT_COMMAND_FAILED", title, `could not be started: ${error.message}`, ""));
    });
    child.once("exit", (code, signal) => {
      over();
      const settle = () => {
        clearTimeout(patience);
        child.stderr?.destroy();
        if (errorFile !== undefined) shown += errorFile.close(SHOWN);
        if (code === 0 && !overdue) resolve();
        else reject(durableError("ERR_ATEXIT_COMMAND_FAILED", title, howItEnded(code, signal), shown.trim()));
      };
      const howItEnded = (status: number | null, by: NodeJS.Signals | null) =>
        overdue ? `had not ended after ${timeout} ms` : by === null ? `ended with status ${status}` : `ended by ${by}`;
      const patience = setTimeout(settle, LISTEN_ON);
      child.once("close", settle);
    });
  });
}

/** Sends a signal to the process group that a command leads. */
export function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended this very moment.
  }
}
