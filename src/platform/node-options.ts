// The options that Node was started with: those that a called module needs, and
// an environment in which none disturbs a process of this package's own.

import { environment, process } from "./process.ts";

/** Options that would make a second process do what the first was started for. */
const NOT_PASSED_ON =
  /^--(?:inspect|watch|test|eval|print|check|interactive|input-type|cpu-prof|heap-prof|run|env-file)/;

/** Options that take the next word as their value. */
const TAKES_A_WORD = /^(?:-e|-p|-pe|-ep|--eval|--print|--inspect-port|--watch-path|--input-type|--env-file)$/;

/** Returns the options that Node was started with, less those meant for this process alone. */
export function ownNodeArguments(execArgv: readonly string[] = process.execArgv): string[] {
  const passed: string[] = [];
  for (let at = 0; at < execArgv.length; at += 1) {
    const option = execArgv[at] as string;
    if (TAKES_A_WORD.test(option)) at += 1;
    else if (!NOT_PASSED_ON.test(option) && !/^-(?:i|c)$/.test(option)) passed.push(option);
  }
  return passed;
}

/** Variables that the parent has set for this process alone. */
export const OF_THIS_PROCESS = [
  "NODE_OPTIONS", // could name a file that is gone
  "NODE_CHANNEL_FD", // a descriptor that others do not have
  "NODE_CHANNEL_SERIALIZATION_MODE",
  "NODE_UNIQUE_ID", // of a cluster's worker
  "NODE_V8_COVERAGE",
  "NODE_DEBUG",
  "NODE_REDIRECT_WARNINGS",
  "NODE_TEST_CONTEXT",
  "WATCH_REPORT_DEPENDENCIES",
];

/** The variable that marks helpers: what they start inherits it, and is none. */
export const HELPER = "ATEXIT_HELPER";

/** Returns the environment for a command that a helper runs: that one is no helper. */
export function commandEnvironment(): NodeJS.ProcessEnv {
  const { [HELPER]: _, ...others } = environment();
  return others;
}

/** Returns the environment for a helper: a process that carries recipes out. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const clean: NodeJS.ProcessEnv = { ...environment(), [HELPER]: "1" };
  for (const name of OF_THIS_PROCESS) delete clean[name];
  // Electron's executable is Node only when it is told so.
  if (process.versions["electron"] !== undefined) clean["ELECTRON_RUN_AS_NODE"] = "1";
  return clean;
}

/** Returns the environment for a called function. */
export function withNodeOptions(options: string): NodeJS.ProcessEnv {
  return { ...cleanEnvironment(), ...(options === "" ? {} : { NODE_OPTIONS: options }) };
}
