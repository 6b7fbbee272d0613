// What can become of a cleanup.

/**
 * The end of a cleanup: `timed out`: it had its time; `given up`: the shutdown
 * had none left, or was told a second time to end; `left to the guard`: the same
 * of a durable cleanup, which another process carries out; `done at the next
 * start`: this process has carried it out for one that had died.
 */
export type Outcome = "ok" | "failed" | "timed out" | "given up" | "left to the guard" | "done at the next start";
