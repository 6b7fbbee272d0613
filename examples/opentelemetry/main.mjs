// A program whose shutdown is seen in OpenTelemetry: Ctrl-C, or its end.

import { setTimeout as sleep } from "node:timers/promises";
import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, BatchSpanProcessor, ConsoleSpanExporter } from "@opentelemetry/sdk-trace-base";
import { register } from "atexit";
import { traceShutdowns } from "./shutdown-spans.mjs";

const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(new ConsoleSpanExporter())] });
trace.setGlobalTracerProvider(provider);
traceShutdowns(() => provider.shutdown());

register({ name: "database" }, () => sleep(50));
register({ name: "cache" }, () => {
  throw new Error("the cache is gone");
});
console.log("working");
