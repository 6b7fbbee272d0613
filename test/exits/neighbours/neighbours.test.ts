// The promise "a good neighbour", with the real libraries: each alone, and with
// atexit registered before and after it, on each exit.

import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { deviationsOf, type Evidence, type ExitName, exits, type Library, libraries } from "./libraries.ts";
import { isLong } from "../../support/long.ts";
import { linesOf, printed, run, statusOf, withDirectory } from "../../support/run.ts";

const PROGRAM = fileURLToPath(new URL(`program${extname(import.meta.url)}`, import.meta.url));

/** A program that has not ended by now, in milliseconds, hangs. */
const LIMIT = 30_000;

/** A child that outlives its program by so many milliseconds was not ended by it. */
const SURVIVAL = 5_000;

/** What our own two cleanups leave behind when both ran once, last in, first out. */
const OUR_CLEANUPS = ["atexit: asynchronous", "atexit: synchronous"];

const canMakeTerminal = spawnSync("script", ["--version"]).error === undefined;

interface Outcome extends Evidence {
  /** How the program ended: `0`, `13`, `SIGTERM`; `hung` where it did not. */
  readonly status: string;
  readonly stderr: string;
  /** The libraries among the steps whose own cleanup did not happen, or not once. */
  readonly undone: readonly string[];
}

/** Runs a program that takes these steps, the last of which is its exit. */
function runProgram(steps: readonly string[], terminal = false): Promise<Outcome> {
  return withDirectory(async (directory) => {
    const log = join(directory, "log");
    const seen = new Set<string>();
    const end = async (child: ChildProcess) => {
      let surviving: NodeJS.Timeout | undefined;
      const hanging = setTimeout(() => {
        seen.add("the program hung");
        if (!killNoted("pid", log, "SIGKILL")) child.kill("SIGKILL");
      }, LIMIT);
      child.once("exit", () => {
        surviving = setTimeout(() => {
          seen.add("the child survived");
          killNoted("child", log, "SIGKILL");
        }, SURVIVAL);
      });
      // Only when nobody has the standard output open any more, no child of the program either.
      child.once("close", () => {
        clearTimeout(hanging);
        clearTimeout(surviving);
      });
      const exit = steps.at(-1);
      if (exit !== "SIGTERM" && exit !== "SIGINT") return;
      await printed(child, "ready");
      killNoted("pid", log, exit);
    };
    const command = [process.execPath, PROGRAM, directory, ...steps];
    const statusFile = join(directory, "status");
    const [file = "", ...args] = terminal ? onTerminal(command, statusFile) : command;
    const ended = await run(file, args, { act: end, limit: 2 * LIMIT });
    const lines = [...linesOf(log), ...seen];
    const evidence: Evidence = { lines, output: ended.stdout, noted: (name) => notedIn(name, lines) };
    return {
      ...evidence,
      status: seen.has("the program hung") ? "hung" : terminal ? readFileSync(statusFile, "utf8") : statusOf(ended),
      stderr: ended.stderr,
      undone: libraries
        .filter((library) => steps.includes(library.name) && !isCleaned(library, evidence))
        .map(({ name }) => name),
    };
  });
}

function isCleaned(library: Library, evidence: Evidence): boolean {
  if (library.cleaned !== undefined) return library.cleaned(evidence);
  return evidence.lines.filter((line) => line === `cleaned up: ${library.name}`).length === 1;
}

/**
 * The command that runs another on a terminal of its own. `script` makes the
 * terminal, and cannot tell death by a signal from an exit code: a process in
 * between writes down which it was.
 */
function onTerminal(command: readonly string[], statusFile: string): string[] {
  const between = `
    const [statusFile, command, ...args] = process.argv.slice(1);
    const { signal, status } = require("node:child_process").spawnSync(command, args, { stdio: "inherit" });
    require("node:fs").writeFileSync(statusFile, String(signal ?? status));`;
  const words = [process.execPath, "-e", between, statusFile, ...command].map((word) => `'${word}'`);
  return ["script", "-qec", `exec ${words.join(" ")}`, "/dev/null"];
}

function notedIn(name: string, lines: readonly string[]): string | undefined {
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}

/** @returns whether the program has noted such a process */
function killNoted(name: string, log: string, signal: NodeJS.Signals): boolean {
  const pid = Number(notedIn(name, linesOf(log)));
  return pid > 0 && process.kill(pid, signal);
}

/** What is wrong with an outcome, in words; nothing where all is well. */
function differences(outcome: Outcome, expected: { status: string; undone: readonly string[] }): string[] {
  const wrong: string[] = [];
  if (outcome.status !== expected.status) wrong.push(`ended with ${outcome.status} instead of ${expected.status}`);
  const ours = outcome.lines.filter((line) => line.startsWith("atexit: "));
  if (String(ours) !== String(OUR_CLEANUPS)) wrong.push(`our cleanups: ${ours.join(", ") || "none"}`);
  if (String(outcome.undone) !== String(expected.undone)) {
    wrong.push(`cleanups of others undone: ${outcome.undone.join(", ") || "none"}`);
  }
  if (wrong.length > 0 && outcome.stderr !== "") wrong.push(`it wrote: ${outcome.stderr}`);
  return wrong;
}

function assertNothingWrong(wrong: readonly string[]): void {
  assert.ok(wrong.length === 0, `\n${wrong.join("\n")}`);
}

/** The exits on which the n-th library is tried: one of them, or all. */
const exitsOf = (n: number) => (isLong ? exits : exits.slice(n % exits.length).slice(0, 1));

const bareStatuses = new Map<ExitName, Promise<string>>();

/** The status of a program that uses no library at all. */
function bareStatus(exit: ExitName): Promise<string> {
  const known = bareStatuses.get(exit) ?? runProgram([exit]).then(({ status }) => status);
  bareStatuses.set(exit, known);
  return known;
}

/** One library on one exit: alone as the table says, and together as promised. */
async function checkExit(library: Library, exit: ExitName): Promise<string[]> {
  const { name, needsTerminal = false } = library;
  const deviations = deviationsOf(library, exit);
  const undone = deviations.find((deviation) => deviation.undone !== undefined)?.undone;
  const deviation = deviations.find(({ status }) => status !== undefined);
  const bare = await bareStatus(exit);
  const statusAlone = deviation?.status?.[exit] ?? bare;
  const status = deviation?.statusTogether === "Node's" ? bare : statusAlone;
  const wrong: string[] = [];

  const alone = await runProgram([name, exit], needsTerminal);
  if (alone.status !== statusAlone) wrong.push(`${exit}, alone: ${alone.status}; the table says ${statusAlone}`);
  if (alone.undone.length > 0 !== (undone !== undefined)) {
    wrong.push(`${exit}, alone: its cleanup was ${alone.undone.length > 0 ? "not " : ""}done; the table differs`);
  }
  for (const [order, steps] of [
    ["registered before", [name, "atexit", exit]],
    ["registered after", ["atexit", name, exit]],
  ] as const) {
    const together = await runProgram(steps, needsTerminal);
    const found = differences(together, { status, undone: undone === "always" ? [name] : [] });
    if (!isSameReport(together.stderr, alone.stderr)) {
      found.push(`stderr differs from the library's alone:\n${together.stderr}`);
    }
    wrong.push(...found.map((what) => `${exit}, ${order}: ${what}`));
  }
  return wrong;
}

/** Node prints an uncaught error after the `exit` event, atexit before it: the lines are the same, the order need not be. */
function isSameReport(one: string, other: string): boolean {
  return String(one.split("\n").sort()) === String(other.split("\n").sort());
}

describe("beside another exit library", { concurrency: 3 }, () => {
  for (const [n, library] of libraries.entries()) {
    const title = `${library.name}, registered before or after: ${exitsOf(n).join(", ")} runs both sides' cleanups`;
    const skip = library.needsTerminal && !canMakeTerminal && "NOT TESTED: `script` (util-linux) is missing";
    it(title, { skip }, async () => {
      const wrong: string[] = [];
      for (const exit of exitsOf(n)) wrong.push(...(await checkExit(library, exit)));
      assertNothingWrong(wrong);
    });
  }
});

/** signal-exit replaces process.emit, and puts back what it found when it was imported: whatever came in between is lost. */
const replacements = ["4", "3"].flatMap((version) => {
  const [load, listen, remove] = [
    `import signal-exit ${version}`,
    `onExit of signal-exit ${version}`,
    "the hook is removed",
  ] as const;
  return [
    { title: `signal-exit ${version} imported first`, steps: [load, "atexit"] },
    { title: `signal-exit ${version} imported first, used later`, steps: [load, "atexit", listen] },
    {
      title: `signal-exit ${version} imported first, used later, and removed`,
      steps: [load, "atexit", listen, remove],
    },
    { title: `signal-exit ${version} used first, and removed later`, steps: [listen, "atexit", remove] },
    { title: `signal-exit ${version} used again after its removal`, steps: [listen, "atexit", remove, listen] },
  ];
});

/** A child's end takes away execa's hook, and with it all of signal-exit. */
const endedChildren = [
  { title: "a child of execa that ended after the registration", steps: ["atexit", "a child of execa ends"] },
  { title: "a child of execa that ended before the registration", steps: ["a child of execa ends", "atexit"] },
  {
    title: "a child of execa that ended while another runs",
    steps: ["execa", "atexit", "a child of execa ends"],
  },
];

/** It ends the process by itself where nobody listens to an uncaught error. */
const sourceMaps = [
  {
    title: "source-map-support installed before the registration",
    steps: ["source-map-support is installed", "atexit"],
  },
  {
    title: "source-map-support installed after the registration",
    steps: ["atexit", "source-map-support is installed"],
  },
  {
    title: "source-map-support installed after the registration, with signal-exit 4 around it",
    steps: [
      "import signal-exit 4",
      "atexit",
      "onExit of signal-exit 4",
      "source-map-support is installed",
      "the hook is removed",
    ],
  },
];

describe("where a library replaces process.emit, or puts an old one back", { concurrency: 3 }, () => {
  for (const { title, steps } of [...replacements, ...endedChildren, ...sourceMaps]) {
    it(`${title}: every exit still awaits asynchronous cleanups`, async () => {
      const wrong: string[] = [];
      for (const exit of ["natural end", "SIGTERM", "uncaught throw"] as const) {
        const outcome = await runProgram([...steps, exit]);
        const status = await bareStatus(exit);
        wrong.push(...differences(outcome, { status, undone: [] }).map((what) => `${exit}: ${what}`));
      }
      assertNothingWrong(wrong);
    });
  }
});

describe("with all libraries at once in one process", { concurrency: 3 }, () => {
  // Without a terminal restore-cursor does nothing, as it should.
  const names = libraries.filter(({ needsTerminal }) => !needsTerminal).map(({ name }) => name);
  it("every exit runs the cleanups of all that can clean up then", async () => {
    const wrong: string[] = [];
    for (const exit of isLong ? exits : (["SIGTERM", "uncaught throw"] as const)) {
      // Several of them decide, each with a status of its own, and which comes first is a race.
      const decided = libraries.flatMap((library) => deviationsOf(library, exit).map(({ status }) => status?.[exit]));
      // close-with-grace takes the signal that others send again for a second one, and ends with 1.
      if (exit === "SIGTERM" || exit === "SIGINT") decided.push("1");
      const unable = libraries.filter((library) =>
        deviationsOf(library, exit).some(({ undone }) => undone === "always"),
      );
      const alone = await runProgram([...names, exit]);
      for (const steps of [
        ["atexit", ...names, exit],
        [...names, "atexit", exit],
      ]) {
        const together = await runProgram(steps);
        const status = decided.includes(together.status) ? together.status : alone.status;
        const expected = { status, undone: unable.map(({ name }) => name) };
        wrong.push(...differences(together, expected).map((what) => `${exit}: ${what}`));
      }
    }
    assertNothingWrong(wrong);
  });
});

const decisions = ["the program listens to SIGTERM", "the program listens once to SIGTERM"].flatMap((listens) => [
  [listens, "atexit"],
  ["atexit", listens],
  ["signal-exit 4", listens, "atexit"],
  ["atexit", listens, "signal-exit 4"],
  ["signal-exit 3", "atexit", "signal-exit 4", listens],
  ["tmp", listens, "atexit"],
]);

describe("a program that itself listens to SIGTERM", { concurrency: 3 }, () => {
  for (const steps of decisions) {
    it(`decides when and how it ends, and cleanups run then: ${steps.join(", ")}`, async () => {
      const outcome = await runProgram([...steps, "SIGTERM"]);
      const wrong = differences(outcome, { status: "9", undone: [] });
      const decided = outcome.lines.indexOf("the program decided");
      if (decided < 0 || decided > outcome.lines.indexOf("atexit: asynchronous")) {
        wrong.push("cleanups began before the program decided");
      }
      assertNothingWrong(wrong);
    });
  }
});
