// NestJS, behind atexit/app: what was accepted is answered, then its modules' hooks run.
// Written without decorators, so that it runs as it is.

import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { start } from "atexit/app";

class Hello {
  async hello() {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return "hello";
  }

  onModuleDestroy() {
    console.log("Modules destroyed.");
  }
}
Get()(Hello.prototype, "hello", Object.getOwnPropertyDescriptor(Hello.prototype, "hello"));
Controller()(Hello);

class Root {}
Module({ controllers: [Hello] })(Root);

const app = await start("nest-app");

// Not enableShutdownHooks(): it would end the process at the first signal, in its own time.
const web = app.use(await NestFactory.create(Root, { logger: ["error", "warn"] }));
web.use((request, response, next) => app.probe(request, response) || next());
await web.init();

const { port } = await app.serve(web.getHttpServer(), { host: "127.0.0.1", port: Number(process.env.PORT ?? 0) });
await app.ready();
console.log(`Listening on ${port}`);
