// The ways out of a process that JavaScript can see, as data: what the program
// does to leave, and what the process around it does.

import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { constants } from "node:os";
import process, { exit as importedExit } from "node:process";
import { system } from "../platform/this-system.ts";

/** What runs the program: the shell's place, a parent with an IPC channel, a thread, … */
export type Host =
  | "parent"
  | "fork"
  | "dying parent"
  | "cluster"
  | "worker"
  | "terminating main thread"
  | "pid 1"
  | "test runner"
  | "watcher";

export interface WayOut {
  readonly name: string;
  /** Which row of the table of exits it belongs to. */
  readonly row: string;
  readonly host: Host;
  /** What the program does before it registers its cleanups. */
  readonly before?: () => unknown;
  /** What the program does to leave, once its cleanups are registered. */
  readonly leave: () => unknown;
  /** What the parent does once the program has printed `ready`. */
  readonly act?: (child: ChildProcess) => unknown;
  /** What the status is, where bare Node has none to compare with. */
  readonly status?: string;
  /** Whether bare Node reports an error here, which has to stand before the cleanups. */
  readonly reports?: boolean;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Whether it runs on this machine. */
  readonly available?: () => boolean;
}

/** As `const { exit } = process` at the top of a program has it. */
const keptExit = process.exit;

/** Keeps the process alive until something ends it; the limit only keeps a failed run from staying for ever. */
export function stay(): void {
  setTimeout(() => {}, 20_000);
}

export function ready(): void {
  stay();
  process.stdout.write("ready\n");
}

export function sendToSelf(signal: NodeJS.Signals): void {
  stay();
  process.kill(process.pid, signal);
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

type Row = Omit<WayOut, "row" | "host"> & { host?: Host };

export function row(title: string, ...ways: Row[]): WayOut[] {
  return ways.map((way) => ({ host: "parent", ...way, row: title }));
}

/** Signals whose default is to end the process, and which a program can catch; those that this system has. */
const endingSignals = (
  "SIGHUP SIGINT SIGQUIT SIGTERM SIGABRT SIGALRM SIGVTALRM SIGXCPU SIGUSR2 SIGTRAP SIGSYS SIGIO SIGPWR SIGSTKFLT".split(
    " ",
  ) as NodeJS.Signals[]
).filter((signal) => signal in constants.signals);

export const waysOut: readonly WayOut[] = [
  ...row(
    "the event loop is empty",
    { name: "natural end", leave() {} },
    {
      name: "natural end with process.exitCode = 6",
      leave() {
        process.exitCode = 6;
      },
    },
    {
      name: "natural end with an unref'd timer pending",
      leave() {
        setTimeout(() => {}, 60_000).unref();
      },
    },
    {
      name: "natural end after a beforeExit listener started new work",
      leave() {
        process.once("beforeExit", () => setTimeout(() => (process.exitCode = 5), 20));
      },
    },
    {
      name: "stdin's end",
      leave() {
        process.stdin.resume();
        process.stdout.write("ready\n");
      },
      act: (child) => child.stdin?.end(),
    },
    {
      name: "natural end with an exit listener that throws",
      leave() {
        process.on("exit", () => {
          throw new Error("in an exit listener");
        });
      },
    },
    {
      name: "natural end with an exit listener that calls process.exit(9)",
      leave() {
        process.on("exit", () => process.exit(9));
      },
    },
  ),
  ...row("top-level await that never settles", {
    name: "top-level await that never settles",
    leave: () => new Promise(() => {}),
  }),
  ...row(
    "`exit(n)`, `process.exit(n)`, from anywhere",
    { name: "process.exit(3)", leave: () => process.exit(3) },
    {
      name: "process.exit() after process.exitCode = 4",
      leave() {
        process.exitCode = 4;
        process.exit();
      },
    },
    {
      name: "process.exit(undefined) after process.exitCode = 4",
      leave() {
        process.exitCode = 4;
        process.exit(undefined);
      },
    },
    { name: 'exit from import { exit } from "node:process"', leave: () => importedExit(3) },
    { name: "a process.exit that was kept from before", leave: () => keptExit(3) },
    {
      name: "process.exit twice",
      leave() {
        setTimeout(() => {
          try {
            process.exit(3);
          } finally {
            process.exit(4);
          }
        }, 1);
      },
    },
    {
      name: "process.exit inside a try whose catch swallows it",
      leave() {
        try {
          process.exit(3);
        } catch {
          // a program that catches everything
        }
        stay();
      },
    },
    {
      name: "process.exit inside a catch",
      leave() {
        try {
          throw new Error("handled");
        } catch {
          process.exit(3);
        }
      },
    },
    { name: "process.exit in a timer", leave: () => void setTimeout(() => process.exit(3), 1) },
    { name: "process.exit in nextTick", leave: () => process.nextTick(() => process.exit(3)) },
    { name: "process.exit in a microtask", leave: () => queueMicrotask(() => process.exit(3)) },
    { name: "process.exit in a promise's then", leave: () => void Promise.resolve().then(() => process.exit(3)) },
    {
      name: "process.exit in an async function whose catch calls it again",
      leave() {
        const main = async () => {
          await null;
          process.exit(3);
        };
        main().catch(() => process.exit(1));
        stay();
      },
    },
    {
      name: "process.exit in an event listener",
      leave() {
        stay();
        const emitter = new EventEmitter();
        emitter.on("done", () => process.exit(3));
        emitter.emit("done");
      },
    },
    {
      name: "process.exit in a beforeExit listener",
      leave() {
        process.on("beforeExit", () => process.exit(3));
      },
    },
    {
      name: "process.exit in an uncaughtException listener",
      leave() {
        process.on("uncaughtException", () => process.exit(3));
        setTimeout(() => {
          throw new Error("handled by the program");
        }, 1);
      },
    },
    {
      name: "process.exit in an unhandledRejection listener",
      leave() {
        process.on("unhandledRejection", () => process.exit(3));
        void Promise.reject(new Error("handled by the program"));
        stay();
      },
    },
    {
      name: "process.exit beside an uncaughtException listener that does nothing",
      leave() {
        process.on("uncaughtException", (error) => console.log("seen", error));
        stay();
        setTimeout(() => process.exit(3), 1);
      },
    },
    {
      name: "process.exit in a signal listener of the program",
      leave() {
        process.once("SIGTERM", () => setTimeout(() => process.exit(9), 10));
        sendToSelf("SIGTERM");
      },
    },
    {
      name: "process.exit inside a domain",
      async leave() {
        const { create } = await import("node:domain");
        stay();
        create().run(() => process.exit(3));
      },
    },
  ),
  ...row(
    "uncaught exception, unhandled rejection, stack overflow",
    {
      name: "a throw at top level",
      reports: true,
      leave() {
        throw new Error("boom");
      },
    },
    {
      name: "a throw in a timer",
      reports: true,
      leave() {
        setTimeout(() => {
          throw new Error("boom");
        }, 1);
      },
    },
    {
      name: "a throw of a string",
      reports: true,
      leave() {
        setTimeout(() => {
          throw "boom";
        }, 1);
      },
    },
    {
      name: "a throw of undefined",
      reports: true,
      leave() {
        setTimeout(() => {
          throw undefined;
        }, 1);
      },
    },
    {
      name: "an unhandled rejection",
      reports: true,
      leave() {
        void Promise.reject(new Error("boom"));
        stay();
      },
    },
    {
      name: "an unhandled rejection with a string",
      reports: true,
      leave() {
        void Promise.reject("boom");
        stay();
      },
    },
    {
      name: "an unhandled rejection with undefined",
      reports: true,
      leave() {
        void Promise.reject();
        stay();
      },
    },
    {
      name: "an error event without a listener",
      reports: true,
      leave() {
        setTimeout(() => new EventEmitter().emit("error", new Error("boom")), 1);
      },
    },
    {
      name: "stack overflow",
      reports: true,
      leave() {
        const forever = (): number => forever() + 1;
        setTimeout(forever, 1);
      },
    },
    {
      name: "a second error while cleanups run",
      reports: true,
      leave() {
        setTimeout(() => {
          setImmediate(() => {
            throw new Error("second");
          });
          throw new Error("first");
        }, 1);
      },
    },
    {
      name: "an uncaughtException listener that throws",
      reports: true,
      leave() {
        process.on("uncaughtException", () => {
          throw new Error("in the listener");
        });
        setTimeout(() => {
          throw new Error("boom");
        }, 1);
      },
    },
    {
      name: "stdout's reader gone (EPIPE)",
      reports: true,
      leave() {
        ready();
        setInterval(() => process.stdout.write("more\n"), 2);
      },
      act: (child) => child.stdout?.destroy(),
    },
    {
      name: "a throw inside a domain that handles it, then the natural end",
      async leave() {
        const { create } = await import("node:domain");
        const domain = create();
        domain.on("error", () => (process.exitCode = 5));
        domain.run(() =>
          setTimeout(() => {
            throw new Error("handled by the domain");
          }, 1),
        );
      },
    },
    {
      name: "a throw inside a domain that does not handle it",
      reports: true,
      async leave() {
        const { create } = await import("node:domain");
        create().run(() =>
          setTimeout(() => {
            throw new Error("boom");
          }, 1),
        );
      },
    },
  ),
  ...row(
    "SIGINT, SIGTERM, SIGHUP and every other catchable signal whose default is to end the process",
    ...endingSignals.map((signal) => ({ name: signal, leave: () => sendToSelf(signal) })),
    { name: "SIGTERM from another process", leave: ready, act: (child) => child.kill("SIGTERM") },
    {
      name: "SIGINT twice within milliseconds",
      leave: ready,
      act(child) {
        child.kill("SIGINT");
        child.kill("SIGINT");
      },
    },
    {
      name: "SIGINT, and SIGTERM right after it",
      leave() {
        stay();
        process.kill(process.pid, "SIGINT");
        setImmediate(() => process.kill(process.pid, "SIGTERM"));
      },
    },
    {
      name: "Ctrl-C to the whole process group",
      leave: ready,
      act: (child) => process.kill(-(child.pid as number), "SIGINT"),
    },
    {
      name: "SIGTERM while the program is importing",
      async leave() {
        stay();
        process.kill(process.pid, "SIGTERM");
        await sleep(1_000);
      },
    },
    {
      name: "SIGTERM as PID 1 of a pid namespace",
      host: "pid 1",
      status: "143",
      leave: () => sendToSelf("SIGTERM"),
      available: () => system.name === "Linux" && process.getuid?.() === 0,
    },
    {
      name: "process.exit(3) as PID 1 of a pid namespace",
      host: "pid 1",
      leave: () => process.exit(3),
      available: () => system.name === "Linux" && process.getuid?.() === 0,
    },
  ),
  ...row(
    "the parent goes away or asks for shutdown",
    {
      name: "a forked child whose parent disconnects",
      host: "fork",
      leave() {
        process.on("message", () => {});
        process.send?.("disconnect me");
      },
    },
    {
      name: "a forked child whose parent dies",
      host: "dying parent",
      status: "unknown",
      leave() {
        process.on("message", () => {});
        process.send?.("die");
      },
    },
    {
      name: "PM2's shutdown message",
      host: "fork",
      status: "0",
      leave() {
        stay();
        process.send?.("shut me down");
      },
    },
    {
      name: "a cluster worker that is disconnected",
      host: "cluster",
      leave: () => process.send?.("disconnect me"),
    },
    {
      name: "a cluster worker that is killed by its primary",
      host: "cluster",
      leave: () => process.send?.("kill me"),
    },
    {
      name: "a cluster worker whose channel is closed",
      host: "cluster",
      leave() {
        stay();
        process.disconnect();
      },
    },
  ),
  ...row(
    "end of a worker thread",
    { name: "a worker's natural end", host: "worker", leave() {} },
    { name: "process.exit(3) inside a worker", host: "worker", leave: () => process.exit(3) },
    {
      name: "process.exit(3) in a worker's timer",
      host: "worker",
      leave: () => void setTimeout(() => process.exit(3), 1),
    },
    {
      name: "a throw in a worker",
      host: "worker",
      leave() {
        throw new Error("boom");
      },
    },
    {
      name: "a throw in a worker's timer",
      host: "worker",
      leave() {
        setTimeout(() => {
          throw new TypeError("boom");
        }, 1);
      },
    },
    {
      name: "a throw of undefined in a worker",
      host: "worker",
      leave() {
        setTimeout(() => {
          throw undefined;
        }, 1);
      },
    },
    {
      name: "an unhandled rejection in a worker",
      host: "worker",
      leave() {
        void Promise.reject(new Error("boom"));
        stay();
      },
    },
    {
      name: "top-level await that never settles in a worker",
      host: "worker",
      leave: () => new Promise(() => {}),
    },
  ),
  ...row(
    "under Node's own tools",
    { name: "node --test: natural end", host: "test runner", leave() {} },
    { name: "node --test: process.exit(3)", host: "test runner", leave: () => process.exit(3) },
    {
      name: "node --test: a throw",
      host: "test runner",
      leave() {
        throw new Error("boom");
      },
    },
    { name: "node --watch: natural end", host: "watcher", leave() {} },
    { name: "node --watch: SIGTERM to the watcher", host: "watcher", leave: ready },
  ),
];
