// Traces that are made up, so that their pictures can be foretold.

import { writeFileSync } from "node:fs";

/** A cleanup of a trace; times in milliseconds since the shutdown began. */
export interface MadeUp {
  readonly name: string;
  readonly from: number;
  readonly to?: number;
  readonly outcome?: string;
  readonly within?: number;
  readonly site?: string;
  readonly error?: string;
  readonly waitingOn?: readonly string[];
}

export interface MadeUpShutdown {
  readonly program?: string;
  readonly pid?: number;
  /** Milliseconds since 1970. */
  readonly beganAt?: number;
  readonly length: number;
  readonly outcome?: string;
  readonly grace?: number;
  readonly error?: string;
  readonly cleanups: readonly MadeUp[];
}

/** As a process would have written it. */
export function writeTrace(file: string, shutdown: MadeUpShutdown): void {
  writeFileSync(file, `[\n${[...linesOf(shutdown)].map((line) => `${JSON.stringify(line)},\n`).join("")}`);
}

export function* linesOf({
  program = "server.js",
  pid = 100,
  beganAt = Date.UTC(2026, 0, 1),
  length,
  outcome = "ok",
  grace = 10_000,
  error,
  cleanups,
}: MadeUpShutdown): Generator<object> {
  const shutdown = `${pid}.0.1.${beganAt}`;
  const micros = (at: number) => Math.round((beganAt + at) * 1_000);
  const lane = { pid, tid: pid };
  const at = (ph: string, time: number, id: string, name: string, args: object) => ({
    ph,
    cat: "atexit",
    id,
    name,
    ...lane,
    ts: micros(time),
    args,
  });
  const exit =
    error === undefined
      ? { kind: "signal", code: 143, signal: "SIGTERM" }
      : { kind: "uncaughtException", code: 1, error };
  const args = { atexit: 1, program, node: "v20.20.2", exit, deadline: micros(grace), grace, queued: cleanups.length };
  yield { ph: "M", name: "process_name", ...lane, ts: 0, args: { name: program } };
  yield { ph: "M", name: "thread_name", ...lane, ts: 0, args: { name: "main thread" } };
  yield at("b", 0, shutdown, "shutdown: SIGTERM", args);
  for (let first = 0; first < cleanups.length; first += 100) {
    const queued = cleanups
      .slice(first, first + 100)
      .map(({ name, site }, index) => ({ n: first + index, name, site }));
    yield { ph: "M", name: "atexit_queue", ...lane, ts: 0, args: { shutdown, cleanups: queued } };
  }
  const steps = cleanups.flatMap((cleanup, n) => [
    { time: cleanup.from, cleanup, n, ph: "b" },
    ...(cleanup.to === undefined ? [] : [{ time: cleanup.to, cleanup, n, ph: "e" }]),
  ]);
  steps.sort((a, b) => a.time - b.time);
  for (const { time, cleanup, n, ph } of steps) {
    const { name, site, within, outcome: of = "ok", error: thrown, waitingOn } = cleanup;
    if (ph === "b") yield at("b", time, shutdown, name, { shutdown, n, name, site, within });
    else {
      if (waitingOn !== undefined) yield at("n", time, shutdown, "waiting on", { shutdown, n, waitingOn });
      yield at("e", time, shutdown, name, { shutdown, n, outcome: of, error: thrown });
    }
  }
  if (outcome !== "cut off") yield at("e", length, shutdown, "shutdown: SIGTERM", { outcome });
}

/** What a cleanup, a path or an error may be called. */
export const HOSTILE = [
  "</script><script>window.hacked = 1</script>",
  '"><img src=x onerror="window.hacked = 1">',
  "'; window.hacked = 1; '",
  "]]></text><script>window.hacked = 1</script>",
  "<!-- <svg onload=alert(1)>",
  "\u001b]0;title\u0007\u001b[31mred",
  "line\nbreak\r\u2028\u2029",
  "\u202egnp.exe",
  "lone \ud800 surrogate \udc00",
  "null \u0000 \ufffe \uffff",
  "${window.hacked = 1} {{hacked}} &lt;",
  "日本語 🎉 عربى",
];
