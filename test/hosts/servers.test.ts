// Servers of others, ended by SIGTERM amid requests: the real packages. Each says itself
// that it is closed, too, and what it has accepted is answered all the same.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { printed, run, statusOf } from "../support/run.ts";
import { hosts, makeProject } from "./hosts.ts";

// Below the hosts, so that programs find them.
const project = makeProject(hosts);

const REQUESTS = 50;

/** Each answers `answered` after a while to a POST of `/`, and is told of by `arrived()`. */
const HEAD = `
  import { createServer } from "node:http";
  import { closing, server } from "atexit/resources";
  import { setTimeout as sleep } from "node:timers/promises";
  let count = 0;
  const arrived = () => { count += 1; if (count === ${REQUESTS}) console.log("arrived"); return sleep(400); };
  const listens = (http) => console.log("port", http.address().port);
`;

const SOCKET_IO = `
  import { Server } from "socket.io";
  const http = createServer(async (_, response) => { await arrived(); response.end("answered"); });
  const io = new Server(http);`;

const servers: Readonly<Record<string, string>> = {
  "socket.io, closed beside its server": `${SOCKET_IO}
    server(http);
    closing(io);
    http.listen(0, "127.0.0.1", () => listens(http));`,
  "socket.io, closed by a cleanup of the program's own": `${SOCKET_IO}
    import { register } from "atexit";
    server(http);
    register(() => io.close());
    http.listen(0, "127.0.0.1", () => listens(http));`,
  Koa: `
    import Koa from "koa";
    const app = new Koa();
    app.use(async (context) => { await arrived(); context.body = "answered"; });
    const http = app.listen(0, "127.0.0.1", () => listens(http));
    server(http);`,
  "Apollo Server": `
    import { ApolloServer } from "@apollo/server";
    import { startStandaloneServer } from "@apollo/server/standalone";
    const apollo = new ApolloServer({
      typeDefs: "type Query { it: String }",
      resolvers: { Query: { it: async () => { await arrived(); return "answered"; } } },
      stopOnTerminationSignals: false,
    });
    closing(apollo);
    const { url } = await startStandaloneServer(apollo, { listen: { port: 0, host: "127.0.0.1" } });
    console.log("port", new URL(url).port);`,
};

/** Sends one POST, and returns what was answered. */
function post(port: number, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request({ port, host: "127.0.0.1", method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text)).on("error", reject);
    });
    sent.on("error", reject).end(body);
  });
}

describe("what a server has accepted is answered", () => {
  for (const [name, source] of Object.entries(servers)) {
    test(name, async () => {
      const directory = mkdtempSync(join(project, "program-"));
      mkdirSync(join(directory, "journals"), { mode: 0o700 });
      const file = join(directory, "program.mjs");
      writeFileSync(file, HEAD + source);
      let answers: PromiseSettledResult<string>[] = [];
      const ended = await run(process.execPath, [file], {
        cwd: directory,
        env: { ...process.env, ATEXIT_DIR: join(directory, "journals") },
        async act(child) {
          let output = "";
          child.stdout?.on("data", (chunk) => (output += chunk));
          await printed(child, "\n");
          const port = Number(/port (\d+)/.exec(output)?.[1]);
          const asked = Array.from({ length: REQUESTS }, () => post(port, '{"query":"{ it }"}'));
          await printed(child, "arrived");
          child.kill("SIGTERM");
          answers = await Promise.allSettled(asked);
        },
      });
      const answered = answers.filter((answer) => answer.status === "fulfilled" && /answered/.test(answer.value));
      assert.equal(answered.length, REQUESTS, JSON.stringify(answers.slice(0, 3)));
      assert.deepEqual([statusOf(ended), ended.stderr], ["SIGTERM", ""]);
    });
  }
});
