// The documented subscriber, with OpenTelemetry's own packages: spans of the
// shutdown and its cleanups, exported before the process ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { join } from "node:path";
import { examplesDirectory } from "../support/package-under-test.ts";
import { runProgram } from "../support/program.ts";
import { run, statusOf } from "../support/run.ts";

const example = join(examplesDirectory(), "opentelemetry");

/** An exporter that takes its time, and says what it has exported only when it is flushed. */
const PROGRAM = `
import { setTimeout as sleep } from "node:timers/promises";
import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { register } from "atexit";
import { traceShutdowns } from ${JSON.stringify(join(example, "shutdown-spans.mjs"))};
const exporter = {
  export: (spans, done) => setTimeout(() => {
    for (const span of spans) {
      const { name, attributes, status, parentSpanContext, events, duration } = span;
      const { spanId } = span.spanContext();
      console.log(JSON.stringify({ name, attributes, status, parent: parentSpanContext?.spanId, spanId, events: events.length, ms: duration[0] * 1e3 + duration[1] / 1e6 }));
    }
    done({ code: 0 });
  }, 20),
  shutdown: async () => console.log("flushed"),
};
const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
trace.setGlobalTracerProvider(provider);
traceShutdowns(() => provider.shutdown());
register({ name: "database" }, () => sleep(50));
register({ name: "cache" }, () => { throw new Error("the cache is gone") });
register({ name: "hangs", timeout: 1_000 }, () => new Promise(() => {}));
`;

interface Span {
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number; readonly message?: string };
  readonly parent?: string;
  readonly spanId: string;
  readonly events: number;
  readonly ms: number;
}

describe("OpenTelemetry", () => {
  for (const [leave, kind, status] of [
    ["", "end", "1"],
    ["process.exit(3);", "exit", "3"],
    ["process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);", "signal", "SIGTERM"],
    ["setImmediate(() => { throw new Error('x'); });", "uncaughtException", "1"],
  ] as const) {
    it(`has all spans, on the way out by ${kind}`, async () => {
      const ended = await runProgram(PROGRAM + leave);
      const lines = ended.stdout.trim().split("\n");
      assert.equal(lines.pop(), "flushed", ended.stderr);
      const spans = lines.map((text) => JSON.parse(text) as Span);
      assert.deepEqual(
        spans.map(({ name }) => name),
        ["hangs", "cache", "database", kind === "signal" ? "shutdown SIGTERM" : `shutdown ${kind}`],
      );
      const [hangs, cache, database, shutdown] = spans as [Span, Span, Span, Span];
      for (const { parent } of [hangs, cache, database]) assert.equal(parent, shutdown.spanId);
      assert.equal(shutdown.parent, undefined);
      assert.equal(shutdown.attributes["atexit.outcome"], "failed");
      assert.equal(shutdown.attributes["atexit.cleanups"], 4);
      assert.equal(hangs.attributes["atexit.outcome"], "timed out");
      assert.deepEqual(cache.status, { code: 2, message: "the cache is gone" });
      assert.equal(cache.events, 1); // the exception
      assert.equal(database.status.code, 0);
      assert.match(String(database.attributes["code.location"]), /program\.mjs:\d+:\d+/);
      assert.ok(database.ms >= 49 && shutdown.ms >= database.ms, `${database.ms} ms in ${shutdown.ms} ms`);
      assert.equal(statusOf(ended), status);
    });
  }

  it("the example prints its spans", async () => {
    const ended = await run(process.execPath, [join(example, "main.mjs")]);
    const names = [...ended.stdout.matchAll(/^ {2}name: '(.*)'/gm)].map(([, name]) => name);
    assert.deepEqual(names, ["cache", "database", "shutdown end"], ended.stderr);
  });
});
