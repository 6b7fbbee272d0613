// Starts the program of a way out on one version of Node, in its host, and
// tells how it ended and what its cleanups did.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { packagePath } from "../platform/package-files.ts";
import { contentOf } from "../platform/file-content.ts";
import { system } from "../platform/this-system.ts";
import { linesOf, printed, run, statusOf } from "./run-process.ts";
import { type Library, MARK, type Mode } from "./libraries.ts";
import type { WayOut } from "./ways-out.ts";

export interface Outcome {
  /** `0`, `13`, `SIGTERM`; for a worker also its `error` event. */
  readonly status: string;
  /** What the cleanups wrote. */
  readonly log: readonly string[];
  readonly stdout: string;
  /** What was written on stderr before the first cleanup, and from there on. */
  readonly stderr: { readonly before: string; readonly after: string };
  /** Files that were left when it had ended. */
  readonly left: readonly string[];
  /** From its end to the end of its guard, in milliseconds; then what it left is gone. */
  readonly guardTook: number;
  /** What was left even then. */
  readonly leftByGuard: readonly string[];
}

/** The programs that are started, by their paths. */
interface TourPrograms {
  readonly program: string;
  readonly host: string;
}

const OWN: TourPrograms = { program: packagePath("tour program") as string, host: packagePath("tour host") as string };

/** Runs one way out to its end. */
export async function startAndEnd(
  way: WayOut,
  library: Library,
  mode: Mode,
  node: string,
  programs = OWN,
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "atexit-way-out-"));
  const log = join(directory, "log");
  try {
    const [command, ...args] = commandOf(way, node, [way.name, library, mode, log], directory, programs);
    const ended = await run(command as string, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true, // a process group of its own, for Ctrl-C
      limit: library === "atexit" || library === "none" ? 30_000 : 5_000,
      env: {
        ...process.env,
        NODE_TEST_CONTEXT: undefined,
        FORCE_COLOR: undefined,
        ATEXIT_DIR: join(directory, "journals"),
      },
      act: async (child) => {
        if (way.act === undefined) return;
        await printed(child, "ready\n");
        await way.act(child);
      },
    });
    const [before = "", after = ""] = ended.stderr.split(MARK);
    const reported = /^HOST: (.*)$/m.exec(ended.stdout)?.[1];
    const left = filesIn(directory);
    const endedAt = performance.now();
    await guardsEnded(directory);
    return {
      status: reported ?? statusOf(ended),
      log: linesOf(log),
      stdout: ended.stdout,
      stderr: { before, after },
      left,
      guardTook: performance.now() - endedAt,
      leftByGuard: filesIn(directory),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the cleanups were to remove, and journals; not what the run itself keeps there. */
function filesIn(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return entries
    .filter((entry) => !/^(log|way-out\.test\.mjs|journals|journals\/(log\.jsonl|helper-[^/]*\.cjs))$/.test(entry))
    .sort();
}

async function guardsEnded(directory: string): Promise<void> {
  const journals = join(directory, "journals");
  const isGoingOn = system.name === "Linux" ? () => commandsNaming(journals) > 0 : () => hasOwners(journals);
  for (let tries = 0; tries < 2_000 && isGoingOn(); tries += 1) await sleep(5);
}

/** Where other processes cannot be looked at: whether anything of an owner is left, which its guard removes last. */
function hasOwners(journals: string): boolean {
  return (
    existsSync(journals) &&
    readdirSync(journals).some((name) => /\.(?:jsonl|claim|alive)$/.test(name.replace(/^log\.jsonl$/, "")))
  );
}

/** A guard is named by the journal that it waits for. */
function commandsNaming(text: string): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => contentOf(`/proc/${pid}/cmdline`)?.includes(text)).length;
}

function commandOf(
  way: WayOut,
  node: string,
  args: readonly string[],
  directory: string,
  { program, host }: TourPrograms,
): readonly string[] {
  switch (way.host) {
    case "parent":
      return [node, ...(way.nodeOptions ?? []), program, ...args];
    case "pid 1":
      return ["unshare", "--pid", "--fork", "--mount-proc", node, program, ...args];
    case "test runner":
      return [node, "--test", wrapper(directory, program, args)];
    default:
      return [node, host, way.host, program, ...args];
  }
}

/** The test runner starts files without arguments: a file that stands for the program with its arguments. */
function wrapper(directory: string, program: string, args: readonly string[]): string {
  const file = join(directory, "way-out.test.mjs");
  writeFileSync(
    file,
    `process.argv.push(...${JSON.stringify(args)});\nawait import(${JSON.stringify(pathToFileURL(program).href)});\n`,
  );
  return file;
}
