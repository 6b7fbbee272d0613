// Anything that can be closed, in one line: with the real clients, and where
// they need one, real servers.

import assert from "node:assert/strict";
import { once } from "node:events";
import { isBuiltin } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { closing, waysToClose } from "../../src/resources/index.ts";
import { Aedes } from "aedes";
import pg from "pg";
import { inPlace } from "../support/place.ts";
import { printed, statusOf } from "../support/run.ts";
import { providePostgres, provideRedis, type RealServer, startPostgres, startRedis } from "../support/servers.ts";

const waysOut = {
  "the natural end": ["", "0"],
  "process.exit": ["process.exit(3);", "3"],
  "a throw": ["setTimeout(() => { throw new Error('thrown'); });", "1"],
  SIGTERM: ["process.kill(process.pid, 'SIGTERM');", "SIGTERM"],
} as const;
const onEachWay = (body: (leave: string, status: string, way: string) => void) => {
  for (const [way, [leave, status]] of Object.entries(waysOut)) body(leave, status, way);
};

const postgres = providePostgres();
const redis = provideRedis();

describe("pg on a real PostgreSQL", { skip: "missing" in postgres && postgres.missing }, () => {
  let server: RealServer;
  before(async () => {
    if ("home" in postgres) server = await startPostgres(postgres.home);
  });
  after(() => server.stop());

  onEachWay((leave, status, way) => {
    // Where nothing keeps the loop alive but the query, the natural end comes after it.
    test(`${way}: a Pool's query under way is answered, and its backends are gone`, () =>
      inPlace(async ({ run }) => {
        const watcher = new pg.Client(server.url);
        await watcher.connect();
        const backends = async () => {
          const name = `atexit ${way}`;
          const { rows } = await watcher.query("SELECT pid FROM pg_stat_activity WHERE application_name = $1", [name]);
          return rows.length;
        };
        let during = 0;
        const ended = await run(
          `
              import { register } from "atexit";
              import { closing } from "atexit/resources";
              import pg from "pg";
              register(() => console.log("below the pool"));
              const pool = new pg.Pool({ connectionString: process.env.URL, application_name: "atexit ${way}" });
              closing(pool);
              await Promise.all([pool.query("SELECT 1"), pool.query("SELECT 2")]);
              const query = pool.query("SELECT pg_sleep(1), 'answered' AS text");
              query.then(({ rows }) => console.log(rows[0].text), (error) => console.log(error.message));
              console.log("ready");
              setTimeout(() => { ${leave} }, 500);`,
          {
            env: { ...process.env, URL: server.url },
            async act(child) {
              await printed(child, "ready");
              during = await backends();
            },
          },
        );
        assert.equal(statusOf(ended), status, ended.stderr);
        assert.equal(ended.stdout, "ready\nanswered\nbelow the pool\n");
        assert.equal(during, 2);
        assert.equal(await backends(), 0);
        await watcher.end();
      }));
  });

  for (const [when, pause] of [
    ["under way", "await client.connect(); await client.query('SELECT 1');"],
    ["of this very moment, on a connection that is being made", "client.connect();"],
  ] as const) {
    test(`a Client's query ${when} is answered`, () =>
      inPlace(async ({ run }) => {
        const { stdout, stderr, code } = await run(
          `
            import { register } from "atexit";
            import { closing } from "atexit/resources";
            import pg from "pg";
            register(() => console.log("below"));
            const client = new pg.Client(process.env.URL);
            closing(client);
            ${pause}
            client.query("SELECT pg_sleep(0.3)").then(() => console.log("answered"), ({ message }) => console.log(message));
            process.exit();`,
          { env: { ...process.env, URL: server.url } },
        );
        assert.deepEqual([stdout, stderr, code], ["answered\nbelow\n", "", 0]);
      }));
  }

  test("a Client is ended; one that the program has ended, and a Pool, are no error", () =>
    inPlace(async ({ run }) => {
      const { stdout, stderr, code } = await run(
        `
          import { closing } from "atexit/resources";
          import pg from "pg";
          const client = new pg.Client(process.env.URL);
          await client.connect();
          client.once("end", () => console.log("ended"));
          closing(client);
          const pool = new pg.Pool({ connectionString: process.env.URL });
          closing(pool);
          await pool.query("SELECT 1");
          await pool.end();
          process.exit();`,
        { env: { ...process.env, URL: server.url } },
      );
      assert.deepEqual([stdout, stderr, code], ["ended\n", "", 0]);
    }));
});

describe(
  "clients that are functions, on a real PostgreSQL",
  { skip: "missing" in postgres && postgres.missing },
  () => {
    let server: RealServer;
    before(async () => {
      if ("home" in postgres) server = await startPostgres(postgres.home);
    });
    after(() => server.stop());

    for (const [name, connect] of [
      [
        "knex",
        'import create from "knex"; const db = create({ client: "pg", connection: process.env.URL }); const ask = () => db.raw("SELECT pg_sleep(0.3)");',
      ],
      [
        "postgres.js",
        'import create from "postgres"; const db = create(process.env.URL); const ask = () => db`SELECT pg_sleep(0.3)`;',
      ],
    ] as const) {
      for (const how of ["closing(db);", 'closing({ name: "database", timeout: 5_000 }, db);']) {
        test(`${name}, ${how}: a query under way is answered, and the process ends`, () =>
          inPlace(async ({ run }) => {
            const { stdout, stderr, code } = await run(
              `
              import { register } from "atexit";
              import { closing } from "atexit/resources";
              ${connect}
              register(() => console.log("below"));
              ${how}
              ask().then(() => console.log("answered"), console.error);
              setTimeout(() => process.exit(), 150);`,
              { env: { ...process.env, URL: server.url } },
            );
            assert.deepEqual([stdout, stderr, code], ["answered\nbelow\n", "", 0]);
          }));
      }
    }

    test("a Pool that the program is just ending is waited for", () =>
      inPlace(async ({ run }) => {
        const { stdout, stderr } = await run(
          `
          import { register } from "atexit";
          import { closing } from "atexit/resources";
          import pg from "pg";
          register(() => console.log("below"));
          const pool = new pg.Pool({ connectionString: process.env.URL });
          closing(pool);
          const client = await pool.connect();
          pool.end().then(() => console.log("ended"));
          setTimeout(() => client.release(), 200);
          process.exit();`,
          { env: { ...process.env, URL: server.url } },
        );
        assert.equal(stdout, "ended\nbelow\n", stderr);
      }));
  },
);

test("MQTT.js, and a real broker: what was published has arrived", () =>
  inPlace(async ({ run }) => {
    const broker = await Aedes.createBroker();
    const tcp = createServer(broker.handle).listen(0, "127.0.0.1");
    await once(tcp, "listening");
    let arrived = 0;
    broker.on("publish", ({ topic }) => (arrived += topic === "news" ? 1 : 0));
    const { stderr, code } = await run(
      `
        import { closing } from "atexit/resources";
        import mqtt from "mqtt";
        const client = await mqtt.connectAsync(process.env.URL);
        closing(client);
        for (let n = 0; n < 200; n += 1) client.publish("news", "x".repeat(1_000), { qos: 1 });
        process.exit();`,
      { env: { ...process.env, URL: `mqtt://127.0.0.1:${(tcp.address() as AddressInfo).port}` } },
    );
    assert.deepEqual([stderr, code, arrived], ["", 0, 200]);
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    tcp.close();
  }));

describe("ioredis and redis on a real Redis", { skip: "missing" in redis && redis.missing }, () => {
  let server: RealServer;
  before(async () => {
    if ("command" in redis) server = await startRedis(redis);
  });
  after(() => server.stop());

  const clients = {
    ioredis: `
      import { Redis } from "ioredis";
      const client = new Redis(process.env.URL);
      const pending = () => client.incr(process.env.KEY);
      await client.ping();`,
    "ioredis whose class is mixed with another": `
      import { Redis } from "ioredis";
      class Mixed extends Redis {}
      Object.defineProperty(Mixed.prototype, "constructor", { value: class {} });
      Object.defineProperty(Redis.prototype, "constructor", { value: class {} });
      const client = new Mixed(process.env.URL);
      const pending = () => client.incr(process.env.KEY);
      await client.ping();`,
    redis: `
      import { createClient } from "redis";
      const client = createClient({ url: process.env.URL });
      await client.connect();
      const pending = () => client.incr(process.env.KEY);`,
  };
  for (const [name, connect] of Object.entries(clients)) {
    onEachWay((leave, status, way) => {
      test(`${way}: what was sent to ${name} is answered, and the process ends`, () =>
        inPlace(async ({ run }) => {
          const ended = await run(
            `
              import { closing } from "atexit/resources";
              ${connect}
              ${way === "the natural end" ? "client.unref?.(); client.stream?.unref();" : ""}
              closing(client);
              pending().then((count) => console.log("answered", count));
              ${leave}`,
            { env: { ...process.env, URL: server.url, KEY: `${name} ${way}` }, limit: 15_000 },
          );
          assert.equal(statusOf(ended), status, ended.stderr);
          assert.equal(ended.stdout, "answered 1\n");
        }));
    });
  }
});

describe("others, as they are", () => {
  const rows: Record<string, { source: string; stdout: string }> = {
    "node:sqlite or better-sqlite3": {
      source: `
        const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
        const database = new DatabaseSync(":memory:");
        closing(database);
        register(() => database.exec("CREATE TABLE later (id)"));
        process.on("exit", () => { try { database.exec("SELECT 1"); } catch (error) { console.log("closed"); } });`,
      stdout: "closed\n",
    },
    Fastify: {
      source: `
        import fastify from "fastify";
        const app = fastify();
        app.get("/", async () => { setImmediate(() => process.exit()); await new Promise((resolve) => setTimeout(resolve, 100)); return "answered"; });
        app.addHook("onClose", async () => console.log("closed"));
        closing(app);
        const url = await app.listen({ port: 0, host: "127.0.0.1" });
        fetch(url).then((response) => response.text()).then(console.log);`,
      stdout: "answered\nclosed\n",
    },
    ws: {
      source: `
        import { WebSocket, WebSocketServer } from "ws";
        const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
        closing(sockets);
        sockets.on("close", () => console.log("server closed"));
        sockets.on("listening", () => {
          const client = new WebSocket("ws://127.0.0.1:" + sockets.address().port);
          closing(client);
          client.on("open", () => process.exit());
          client.on("close", (code) => console.log("closed", code));
        });`,
      stdout: "closed 1001\nserver closed\n",
    },
    "ws, whose clients are others": {
      source: `
        import { WebSocket, WebSocketServer } from "ws";
        const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
        let tell;
        const told = new Promise((resolve) => (tell = resolve));
        register(() => told);
        closing(sockets);
        sockets.on("listening", () => {
          const client = new WebSocket("ws://127.0.0.1:" + sockets.address().port);
          client.on("open", () => process.exit());
          client.on("close", (code) => { console.log("told", code); tell(); });
        });`,
      stdout: "told 1001\n",
    },
    "Fastify, which says good-bye to its WebSockets before it closes": {
      source: `
        import fastify from "fastify";
        import { WebSocket, WebSocketServer } from "ws";
        const app = fastify();
        app.get("/", async () => "answered");
        const sockets = new WebSocketServer({ noServer: true });
        app.server.on("upgrade", (request, socket, head) => sockets.handleUpgrade(request, socket, head, () => {}));
        app.addHook("preClose", async () => { for (const client of sockets.clients) client.close(1001); });
        closing(app);
        const url = await app.listen({ port: 0, host: "127.0.0.1" });
        const client = new WebSocket(url.replace("http", "ws"));
        let startedAt;
        client.on("open", () => { startedAt = performance.now(); process.exit(); });
        client.on("close", (code) => console.log("told", code, performance.now() - startedAt < 1_000));`,
      stdout: "told 1001 true\n",
    },
    "NestJS beside server(): its hooks end a stream while the server is drained, and after what was asked": {
      source: `
        import "reflect-metadata";
        import { Controller, Get, Module } from "@nestjs/common";
        import { NestFactory } from "@nestjs/core";
        import { server } from "atexit/resources";
        let startedAt;
        register(() => console.log(performance.now() - startedAt < 4_000));
        let stream;
        class Web {
          events() { return new Promise(() => {}); }
          async slow() { await new Promise((resolve) => setTimeout(resolve, 300)); console.log("answered"); return "done"; }
          onModuleDestroy() { console.log("destroyed"); stream.end("bye"); }
        }
        Get("slow")(Web.prototype, "slow", Object.getOwnPropertyDescriptor(Web.prototype, "slow"));
        Controller()(Web);
        class Root {}
        Module({ controllers: [Web] })(Root);
        const nest = await NestFactory.create(Root, { logger: ["error"] });
        nest.use("/events", (_, response) => { stream = response; response.flushHeaders(); });
        closing(nest);
        server(nest.getHttpServer());
        await nest.listen(0, "127.0.0.1");
        const url = await nest.getUrl();
        const events = await fetch(url + "/events");
        events.text().then((text) => console.log(text));
        fetch(url + "/slow").then((response) => response.text());
        setTimeout(() => { startedAt = performance.now(); process.exit(); }, 100);`,
      stdout: "answered\ndestroyed\nbye\ntrue\n",
    },
    "Fastify beside server(): its good-bye waits for no drain": {
      source: `
        import fastify from "fastify";
        import { server } from "atexit/resources";
        const app = fastify();
        let stream;
        app.get("/events", (request, reply) => { reply.hijack(); stream = reply.raw; stream.flushHeaders(); });
        app.addHook("preClose", async () => { stream.end("bye"); });
        app.addHook("onClose", async () => console.log("closed"));
        let startedAt;
        register(() => console.log(performance.now() - startedAt < 4_000));
        closing(app);
        server(app.server);
        const url = await app.listen({ port: 0, host: "127.0.0.1" });
        const events = await fetch(url + "/events");
        events.text().then((text) => console.log(text));
        setTimeout(() => { startedAt = performance.now(); process.exit(); }, 50);`,
      stdout: "bye\nclosed\ntrue\n",
    },
    "undici's Agent": {
      source: `
        import { createServer } from "node:http";
        import { Agent, request } from "undici";
        const server = createServer((_, response) => { setImmediate(() => process.exit()); setTimeout(() => response.end("answered"), 100); });
        server.listen(0, "127.0.0.1", async () => {
          closing(server);
          const dispatcher = new Agent();
          closing(dispatcher);
          request("http://127.0.0.1:" + server.address().port, { dispatcher }).then(({ body }) => body.text()).then(console.log);
        });
        process.on("exit", () => console.log("listening", server.listening));`,
      stdout: "answered\nlistening false\n",
    },
    "pino with a file": {
      source: `
        import { readFileSync } from "node:fs";
        import pino from "pino";
        const file = process.env.WORK + "/app.log";
        process.on("exit", () => console.log(readFileSync(file, "utf8").trim().split("\\n").map((line) => JSON.parse(line).msg).join()));
        const log = pino(pino.destination({ dest: file, sync: false, minLength: 4_096 }));
        closing(log);
        register(() => log.info("last"));
        log.info("first");
        process.exit();`,
      stdout: "first,last\n",
    },
    "a writable stream": {
      source: `
        import { createWriteStream, readFileSync } from "node:fs";
        const file = process.env.WORK + "/out";
        process.on("exit", () => console.log(readFileSync(file, "utf8").length));
        const stream = createWriteStream(file);
        closing(stream);
        stream.write("x".repeat(1_000_000));
        process.exit();`,
      stdout: "1000000\n",
    },
    "a function of the program's own": {
      source: `closing({ name: "mine" }, {}, () => new Promise((resolve) => setTimeout(() => { console.log("closed"); resolve(); }, 10)));`,
      stdout: "closed\n",
    },
  };
  /** What not every Node has. */
  const missing: Record<string, string | false> = {
    "node:sqlite or better-sqlite3": !isBuiltin("node:sqlite") && "this Node has no node:sqlite",
  };
  for (const [name, { source, stdout }] of Object.entries(rows)) {
    test(name, { skip: missing[name] ?? false }, () =>
      inPlace(async ({ run }) => {
        const ended = await run(
          `import { register } from "atexit"; import { closing } from "atexit/resources";\n${source}`,
          { nodeOptions: ["--disable-warning=ExperimentalWarning"] }, // node:sqlite is one for some Nodes
        );
        assert.deepEqual([ended.stdout, ended.stderr, ended.code], [stdout, "", 0]);
      }),
    );
  }
});

test("each of the usual methods is found, the most careful one first", async () => {
  const calls: string[] = [];
  const resource = (...methods: (string | symbol)[]) =>
    Object.fromEntries(methods.map((method) => [method, () => void calls.push(String(method))]));
  const rows: [(string | symbol)[], string][] = [
    [["close"], "close"],
    [["end"], "end"],
    [["quit"], "quit"],
    [["disconnect"], "disconnect"],
    [["$disconnect"], "$disconnect"],
    [["destroy"], "destroy"],
    [["shutdown"], "shutdown"],
    [["stop"], "stop"],
    [["destroy", "close"], "close"],
    [[Symbol.dispose, "close"], String(Symbol.dispose)],
    [[Symbol.asyncDispose, "close"], String(Symbol.asyncDispose)],
  ];
  for (const [methods, expected] of rows) {
    const handle = closing(resource(...methods));
    await handle.close();
    await handle.close();
    await handle[Symbol.asyncDispose]();
    assert.deepEqual(calls.splice(0), [expected]);
  }
  assert.ok(waysToClose.length > 20);
  assert.throws(() => closing({ open: () => {} }), { code: "ERR_ATEXIT_CANNOT_CLOSE" });
  assert.throws(() => closing(null as never), { code: "ERR_ATEXIT_OPTION" });
});
