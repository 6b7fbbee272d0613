// The name by which others know this program.

import { process } from "./process.ts";

/** Options after which Node runs no script: what follows them are the program's own arguments. */
const WITHOUT_SCRIPT = /^(?:-e|-p|-pe|-i|--eval|--print|--interactive)(?:=|$)/;

/** Returns Node's executable and the script, without arguments: these hold passwords, and others may read the name. */
export function programName(): string {
  const script = process.argv[1];
  const isScript = script?.startsWith("/") === true || /^[A-Za-z]:\\/.test(script ?? "");
  const name = isScript && !process.execArgv.some((option) => WITHOUT_SCRIPT.test(option)) ? ` ${script}` : "";
  return (process.execPath + name).slice(0, 1_000);
}
