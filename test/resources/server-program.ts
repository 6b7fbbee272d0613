// A server under load, which is sent SIGTERM: with this package, with one of its
// peers, or as Node alone has it. At its end it prints what it has accepted and
// answered.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { urlOf } from "../support/package-under-test.ts";

const [how = "atexit", drainDelay = "0"] = process.argv.slice(2);
let accepted = 0;
let answered = 0;

const http = createServer((_: IncomingMessage, response: ServerResponse) => {
  accepted += 1;
  response.once("finish", () => {
    answered += 1;
  });
  setTimeout(() => response.end("x".repeat(500)), Math.random() * 8);
});
const tell = () => process.stdout.write(`${JSON.stringify({ accepted, answered })}\n`);

const ways: Record<string, () => Promise<unknown>> = {
  async atexit() {
    const { register } = (await import(urlOf("atexit"))) as typeof import("../../src/index.ts");
    const { server } = (await import(urlOf("atexit/resources"))) as typeof import("../../src/resources/index.ts");
    register(tell);
    server(http, { drainDelay: Number(drainDelay) });
  },
  async node() {
    process.once("SIGTERM", () => http.close(tell));
  },
  async stoppable() {
    const { default: stoppable } = await import("stoppable");
    const stopping = stoppable(http, 5_000);
    process.once("SIGTERM", () => stopping.stop(tell));
  },
  async "http-terminator"() {
    const { createHttpTerminator } = await import("http-terminator");
    const terminator = createHttpTerminator({ server: http });
    process.once("SIGTERM", () => void terminator.terminate().then(tell));
  },
};
await ways[how]?.();
http.listen(0, "127.0.0.1", () => process.stdout.write(`port ${(http.address() as AddressInfo).port}\n`));
