// The program that ends in one of the ways of ways-out.ts:
// program.js <way out> <library> <mode> <log file>

import { workerData } from "node:worker_threads";
import { type Library, type Mode, registerCleanups } from "./libraries.ts";
import { unseenWaysOut } from "./unseen-ways-out.ts";
import { waysOut } from "./ways-out.ts";

const [name, library, mode, log] = (workerData as string[] | null) ?? process.argv.slice(2);
const way = [...waysOut, ...unseenWaysOut].find((candidate) => candidate.name === name);
if (way === undefined || log === undefined) throw new Error(`Unknown way out: ${name}`);
await way.before?.();
await registerCleanups(library as Library, mode as Mode, log);
await way.leave();
