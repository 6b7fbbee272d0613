// Fastify, behind atexit/app: its server is drained, then its plugins are closed.

import { start } from "atexit/app";
import fastify from "fastify";

const app = await start("fastify-app");

const web = app.use(fastify());
web.addHook("onRequest", async (request, reply) => {
  if (app.probe(request.raw, reply.raw)) reply.hijack();
});
web.addHook("onClose", async () => console.log("Plugins closed."));
web.get("/", async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return "hello";
});
await web.ready();

const { port } = await app.serve(web.server, { host: "127.0.0.1", port: Number(process.env.PORT ?? 0) });
await app.ready();
console.log(`Listening on ${port}`);
