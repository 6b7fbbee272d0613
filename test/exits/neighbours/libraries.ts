// The exit libraries that atexit has to get on with: how a program uses each,
// how its own cleanup is observed, and what it cannot manage even alone.

import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** The ways in which the tests end a program. */
export const exits = ["SIGTERM", "SIGINT", "natural end", "process.exit(4)", "uncaught throw"] as const;

export type ExitName = (typeof exits)[number];

/** What a program has at hand when it uses a library. */
export interface Workspace {
  /** A path in the directory that the program may fill. */
  path(name: string): string;
  /** Leaves a line of evidence. */
  note(line: string): void;
  /** Leaves the line that says that the library's own cleanup has happened. */
  noteCleanup(): void;
}

/** What a program that has ended left behind. */
export interface Evidence {
  readonly lines: readonly string[];
  readonly output: string;
  /** The value of a line `name: value`. */
  noted(name: string): string | undefined;
}

/** What a library alone, without atexit, does to an exit. */
export interface Deviation {
  readonly exits: readonly ExitName[];
  /** The status that the program then has, where it is not bare Node's. */
  readonly status?: Partial<Record<ExitName, string>>;
  /** Whose status it is with atexit beside the library. By default the library's. */
  readonly statusTogether?: "the library's" | "Node's";
  /** Where it leaves its own cleanup undone: whether it still does with atexit beside it. */
  readonly undone?: "alone" | "always";
  readonly reason: string;
}

export interface Library {
  readonly name: string;
  /** Uses the library as a program would. */
  install(workspace: Workspace): unknown;
  /** Whether its cleanup has happened, where the line of evidence is not what tells. */
  cleaned?(evidence: Evidence): boolean;
  /** Set where it does nothing unless stdout or stderr is a terminal. */
  readonly needsTerminal?: true;
  readonly deviations?: readonly Deviation[];
}

const EXITS_WITH_128_PLUS_NUMBER: Deviation = {
  exits: ["SIGTERM", "SIGINT"],
  status: { SIGTERM: "143", SIGINT: "130" },
  statusTogether: "Node's",
  reason:
    "It ends the process with process.exit(128 + number) instead of by the signal; atexit takes that for the signal.",
};

const ASYNCHRONOUS_HOOKS_DO_NOT_RUN: Deviation = {
  exits: ["process.exit(4)", "uncaught throw"],
  undone: "always",
  reason: "It hears of these exits by the `exit` event, when nothing asynchronous can run any more.",
};

export const libraries: readonly Library[] = [
  {
    name: "signal-exit 4",
    async install({ noteCleanup }) {
      const { onExit } = await import("signal-exit");
      onExit(() => noteCleanup());
    },
  },
  {
    name: "signal-exit 3",
    async install({ noteCleanup }) {
      const { default: onExit } = await import("signal-exit-3");
      onExit(() => noteCleanup());
    },
  },
  {
    name: "exit-hook",
    async install({ noteCleanup }) {
      const { default: exitHook } = await import("exit-hook");
      exitHook(() => noteCleanup());
    },
    deviations: [EXITS_WITH_128_PLUS_NUMBER],
  },
  {
    name: "exit-hook with an asynchronous hook",
    async install({ noteCleanup }) {
      const { asyncExitHook } = await import("exit-hook");
      asyncExitHook(() => sleep(10).then(noteCleanup), { wait: 5_000 });
    },
    deviations: [EXITS_WITH_128_PLUS_NUMBER, ASYNCHRONOUS_HOOKS_DO_NOT_RUN],
  },
  {
    name: "async-exit-hook",
    async install({ noteCleanup }) {
      const { default: exitHook } = await import("async-exit-hook");
      exitHook(() => noteCleanup());
    },
    deviations: [EXITS_WITH_128_PLUS_NUMBER],
  },
  {
    name: "async-exit-hook with an asynchronous hook",
    async install({ noteCleanup }) {
      const { default: exitHook } = await import("async-exit-hook");
      exitHook((done: () => void) => void sleep(10).then(noteCleanup).then(done));
    },
    deviations: [EXITS_WITH_128_PLUS_NUMBER, ASYNCHRONOUS_HOOKS_DO_NOT_RUN],
  },
  {
    name: "close-with-grace",
    async install({ noteCleanup }) {
      const { default: closeWithGrace } = await import("close-with-grace");
      closeWithGrace(() => sleep(10).then(noteCleanup));
    },
    deviations: [
      {
        exits: ["SIGTERM", "SIGINT"],
        status: { SIGTERM: "0", SIGINT: "0" },
        statusTogether: "the library's",
        reason: "It decides that a signal after which all was closed well is a success.",
      },
      {
        exits: ["process.exit(4)"],
        undone: "always",
        reason: "It listens to signals, errors and `beforeExit`, and hears of process.exit() by none of them.",
      },
    ],
  },
  {
    name: "tmp",
    async install({ note, path }) {
      const { default: tmp } = await import("tmp");
      tmp.setGracefulCleanup();
      const { name } = tmp.dirSync({ tmpdir: path("."), unsafeCleanup: true });
      writeFileSync(`${name}/file`, "");
      note(`directory: ${name}`);
    },
    cleaned: ({ noted }) => !existsSync(noted("directory") ?? "."),
    deviations: [
      {
        exits: ["SIGTERM", "SIGINT"],
        undone: "alone",
        reason: "It knows only the `exit` event, which Node does not emit on a signal; atexit does, once.",
      },
    ],
  },
  {
    name: "proper-lockfile",
    async install({ note, path }) {
      const { default: lockfile } = await import("proper-lockfile");
      writeFileSync(path("shared"), "");
      await lockfile.lock(path("shared"));
      if (existsSync(path("shared.lock"))) note(`lock: ${path("shared.lock")}`);
    },
    cleaned: ({ noted }) => !existsSync(noted("lock") ?? "."),
  },
  {
    name: "execa",
    async install({ note }) {
      const { execa } = await import("execa");
      // The child holds the standard output open, by which its end is seen.
      const child = execa("sleep", ["1000"], { stdin: "ignore", stdout: "inherit", stderr: "ignore", reject: false });
      child.unref();
      note(`child: ${child.pid}`);
    },
    cleaned: ({ lines, noted }) => noted("child") !== undefined && !lines.includes("the child survived"),
  },
  {
    name: "restore-cursor",
    async install() {
      const { default: restoreCursor } = await import("restore-cursor");
      restoreCursor();
    },
    cleaned: ({ output }) => output.split("\u001B[?25h").length === 2,
    needsTerminal: true,
  },
  {
    name: "node-cleanup",
    async install({ noteCleanup }) {
      const { default: nodeCleanup } = await import("node-cleanup");
      nodeCleanup(() => noteCleanup());
    },
  },
  {
    name: "when-exit",
    async install({ noteCleanup }) {
      const { default: whenExit } = await import("when-exit");
      whenExit(() => noteCleanup());
    },
  },
];

/** What the library alone does to this exit. */
export function deviationsOf(library: Library, exit: ExitName): readonly Deviation[] {
  return (library.deviations ?? []).filter((deviation) => deviation.exits.includes(exit));
}
