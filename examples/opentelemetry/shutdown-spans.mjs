// OpenTelemetry spans of shutdowns and their cleanups: one for the shutdown, one
// within it for each cleanup, and all of them exported before the process ends.

import { tracingChannel } from "node:diagnostics_channel";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { register } from "atexit";

/**
 * Call it before anything else is registered: its cleanup is then the last.
 *
 * @param {() => Promise<void>} flush exports what is pending, such as the provider's shutdown()
 */
export function traceShutdowns(flush) {
  const tracer = trace.getTracer("atexit");
  const spans = new Map();
  let shutdownSpan;
  let hasFailed = false;

  const end = (span, outcome, error) => {
    span.setAttribute("atexit.outcome", outcome);
    if (error !== undefined) span.recordException(error);
    if (outcome !== "ok") span.setStatus({ code: SpanStatusCode.ERROR, message: error?.message ?? outcome });
    span.end();
  };

  const endShutdown = (outcome) => {
    shutdownSpan?.end(shutdownSpan.setAttribute("atexit.outcome", outcome));
    shutdownSpan = undefined;
  };

  const cleanupEnded = (cleanup) => {
    const span = spans.get(cleanup);
    if (span === undefined || cleanup.outcome === undefined) return; // it goes on, asynchronously
    spans.delete(cleanup);
    hasFailed ||= cleanup.outcome !== "ok";
    end(span, cleanup.outcome, cleanup.error);
  };

  tracingChannel("atexit:shutdown").subscribe({
    start({ exit, grace, queue }) {
      const attributes = {
        "atexit.exit": exit.kind,
        "atexit.code": exit.code,
        "atexit.grace_ms": grace,
        "atexit.cleanups": queue.length,
      };
      shutdownSpan = tracer.startSpan(`shutdown ${exit.signal ?? exit.kind}`, { attributes });
    },
  });
  tracingChannel("atexit:cleanup").subscribe({
    start(cleanup) {
      if (cleanup.name === "telemetry" || cleanup.shutdown === undefined) return;
      const outer = spans.get(cleanup.within) ?? shutdownSpan;
      const within = outer === undefined ? context.active() : trace.setSpan(context.active(), outer);
      const attributes = { "code.location": cleanup.site ?? "" };
      spans.set(cleanup, tracer.startSpan(cleanup.name, { attributes }, within));
    },
    end: cleanupEnded,
    asyncEnd: cleanupEnded,
  });

  // Registered first, it runs last: what it exports has to be over, so the shutdown's span ends with it.
  register({ name: "telemetry" }, () => {
    endShutdown(hasFailed ? "failed" : "ok");
    return flush();
  });
}
