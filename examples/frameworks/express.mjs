// Express, behind atexit/app.

import { createServer } from "node:http";
import { start } from "atexit/app";
import express from "express";

const app = await start("express-app");

const web = express();
web.use((request, response, next) => app.probe(request, response) || next());
web.get("/", (_request, response) => setTimeout(() => response.send("hello"), 20));

const { port } = await app.serve(createServer(web), { host: "127.0.0.1", port: Number(process.env.PORT ?? 0) });
await app.ready();
console.log(`Listening on ${port}`);
