// The ways out of a process that no program sees, as data like ways-out.ts:
// functions cannot run on them, and recipes are carried out by the guard.

import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, Worker } from "node:worker_threads";
import { contentOf } from "../platform/file-content.ts";
import { ready, row, sendToSelf, stay, type WayOut } from "./ways-out.ts";

/** Children of all kinds that stay behind for a while, and would hold open what they inherit. */
function leaveChildrenBehind(): void {
  const node = [process.execPath, "-e", "setTimeout(() => {}, 1_500)"] as const;
  const [command, ...args] = node;
  spawn(command, args, { stdio: "ignore", detached: true }).unref();
  spawn(command, args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  spawn(command, args, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  spawn("/bin/sh", ["-c", "sleep 1.5 & sleep 1.5 & wait"], { stdio: "ignore" });
  new Worker("setTimeout(() => {}, 1_500)", { eval: true });
}

/** As `tree-kill` and its like find them: by their parents. */
function descendantsOf(pid: number): number[] {
  const listed = contentOf(`/proc/${pid}/task/${pid}/children`);
  const children = listed?.split(" ").map(Number) ?? [];
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** One that was found may have ended since: what the guard starts is short-lived. */
function terminate(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function tellMainThread(message: string): void {
  stay();
  parentPort?.postMessage(message);
}

export const unseenWaysOut: readonly WayOut[] = [
  ...row(
    "SIGKILL, a crash, out of memory",
    { name: "SIGKILL", leave: () => sendToSelf("SIGKILL") },
    {
      name: "SIGKILL with children left behind",
      leave() {
        leaveChildrenBehind();
        sendToSelf("SIGKILL");
      },
    },
    {
      name: "SIGKILL to the whole process group",
      leave: ready,
      act: (child) => process.kill(-(child.pid as number), "SIGKILL"),
    },
    {
      name: "SIGTERM to every descendant, then SIGKILL",
      leave() {
        process.on("SIGTERM", () => {});
        ready();
      },
      async act(child) {
        for (const pid of descendantsOf(child.pid as number)) terminate(pid);
        await sleep(20);
        child.kill("SIGKILL");
      },
    },
    { name: "process.abort()", leave: () => process.abort() },
    {
      name: "a segmentation fault",
      nodeOptions: ["--stack-size=1000000"],
      leave() {
        const recurse = (depth: number): number => recurse(depth + 1) + 1;
        recurse(0);
      },
    },
    {
      name: "out of memory",
      nodeOptions: ["--max-old-space-size=16"],
      leave() {
        for (const kept: unknown[] = []; ;) kept.push(new Array(1_000).fill(kept.length));
      },
    },
    {
      name: "process.reallyExit(3)",
      leave: () => (process as unknown as { reallyExit(code: number): void }).reallyExit(3),
    },
    {
      name: "a blocked event loop, killed by its supervisor after SIGTERM",
      status: "SIGKILL",
      leave() {
        ready(); // on Linux a pipe is written to at once
        for (;;);
      },
      async act(child) {
        child.kill("SIGTERM");
        await sleep(100);
        child.kill("SIGKILL");
      },
    },
    {
      name: "stopped, then killed",
      leave: ready,
      async act(child) {
        child.kill("SIGSTOP");
        child.kill("SIGKILL");
      },
    },
  ),
  ...row(
    "`worker.terminate()`, the main thread's end",
    {
      name: "worker.terminate()",
      host: "terminating main thread",
      status: "terminated",
      leave: () => tellMainThread("terminate me"),
    },
    { name: "the main thread's end", host: "terminating main thread", leave: () => tellMainThread("end yourself") },
  ),
];
