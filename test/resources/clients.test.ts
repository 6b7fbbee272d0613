// Clients in each of their states: at work, just asked, ended by the program, with
// nobody at the other end. The real packages; where they need one, a server that
// answers late, or the real one.

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { closing } from "../../src/resources/index.ts";
import mysql from "mysql2";
import { startMongo } from "../support/mongo-server.ts";
import { inPlace } from "../support/place.ts";
import { provideRedis, type RealServer, startRedis } from "../support/servers.ts";

/** What each program has: a cleanup below the client, and less time than what hangs would take. */
const HEAD = `
  import { register } from "atexit";
  import { closing } from "atexit/resources";
  register(() => console.log("below", performance.now() - beganAt < 7_000 ? "in time" : "too late"));
  let beganAt = 0;
  const leave = () => { beganAt = performance.now(); process.exit(); };
  const say = (promise) => promise.then(() => console.log("answered"), (error) => console.log(error.code ?? error.message));
`;

interface Row {
  readonly name: string;
  readonly source: string;
  readonly lines: readonly string[];
}

/** Runs each as a program, which is to say these lines, and nothing on stderr. */
function check(rows: readonly Row[], env: () => NodeJS.ProcessEnv = () => ({})): void {
  for (const { name, source, lines } of rows) {
    test(name, () =>
      inPlace(async ({ run }) => {
        const ended = await run(`${HEAD}${source}`, { env: env() });
        assert.deepEqual([ended.stdout.split("\n").slice(0, -1), ended.stderr, ended.code], [lines, "", 0]);
      }),
    );
  }
}

/** A port at which nobody listens. */
const NOBODY = "127.0.0.1:1";

describe("mysql2, and a server that answers after a while", { concurrency: 2 }, () => {
  const server = (mysql.createServer as () => ReturnType<typeof mysql.createServer>)();
  let port = 0;
  let connections = 0;
  before(async () => {
    server.on("connection", (connection) => {
      connections += 1;
      connection.on("error", () => {});
      const served = connection as unknown as { writeOk(): void; sequenceId: number };
      const countAnew = () => {
        served.sequenceId = 0; // as each command does
      };
      connection.serverHandshake({
        protocolVersion: 10,
        serverVersion: "8.0.0",
        connectionId: connections,
        statusFlags: 2,
        characterSet: 8,
        capabilityFlags: 0x00_ff_f7_ff, // all but TLS
        authCallback: (_: unknown, done: (error: null) => void) => {
          done(null);
          countAnew();
        },
      });
      connection.on(
        "query",
        () =>
          void sleep(200)
            .then(() => served.writeOk())
            .then(countAnew),
      );
    });
    (server as unknown as { listen(port: number): void }).listen(0);
    const net = (server as unknown as { _server: import("node:net").Server })._server;
    if (!net.listening) await once(net, "listening");
    port = (net.address() as AddressInfo).port;
  });
  after(() => (server as unknown as { _server: import("node:net").Server })._server.close());

  const clients = {
    Pool: {
      open: "const db = mysql.createPool({ host, port, connectionLimit: 1 });",
      ask: "say(new Promise((resolve, reject) => db.query('SELECT 1', (error) => error ? reject(error) : resolve())));",
    },
    PoolCluster: {
      open: "const db = mysql.createPoolCluster(); db.add('one', { host, port, connectionLimit: 1 });",
      ask: "say(new Promise((resolve, reject) => db.of('*').query('SELECT 1', (error) => error ? reject(error) : resolve())));",
    },
    Connection: {
      open: "const db = mysql.createConnection({ host, port }); db.on('error', () => {});",
      ask: "say(new Promise((resolve, reject) => db.query('SELECT 1', (error) => error ? reject(error) : resolve())));",
    },
    "promise Pool": {
      open: "const db = promises.createPool({ host, port, connectionLimit: 1 });",
      ask: "say(db.query('SELECT 1'));",
    },
    "promise PoolCluster": {
      open: "const db = promises.createPoolCluster(); db.add('one', { host, port, connectionLimit: 1 });",
      ask: "say(db.of('*').query('SELECT 1'));",
    },
    "Drizzle's client": {
      open: "const $client = promises.createPool({ host, port, connectionLimit: 1 }); const db = { $client, query: {} };",
      ask: "say($client.query('SELECT 1'));",
      end: "$client.end();",
    },
  };
  check(
    [
      {
        name: "Pool: a connection that the program never gives back holds nobody up for long",
        source: `
          import mysql from "mysql2/promise";
          const db = mysql.createPool({ host: "127.0.0.1", port: Number(process.env.PORT) });
          closing(db);
          await (await db.getConnection()).query("SELECT 1");
          leave();`,
        lines: ["below in time"],
      },
    ],
    () => ({ PORT: String(port) }),
  );

  const head = (from = "Number(process.env.PORT)") => `
    import mysql from "mysql2";
    import promises from "mysql2/promise";
    const host = "127.0.0.1", port = ${from};`;
  for (const [name, client] of Object.entries(clients)) {
    const { open, ask } = client;
    const end = "end" in client ? client.end : "db.end();";
    check(
      [
        {
          name: `${name}: queries that were sent, and those that wait for a connection, are answered`,
          source: `${head()} ${open} closing(db); ${ask} ${ask} ${ask} setTimeout(leave, 100);`,
          lines: ["answered", "answered", "answered", "below in time"],
        },
        {
          name: `${name}: a query of this very moment is answered`,
          source: `${head()} ${open} closing(db); ${ask} leave();`,
          lines: ["answered", "below in time"],
        },
        {
          name: `${name}: that the program is ending, or was never used, is no error`,
          source: `${head()} ${open} closing(db); ${end} leave();`,
          lines: ["below in time"],
        },
        {
          name: `${name}: that nobody is there is told to who asks, and to nobody else`,
          source: `${head("1")} ${open} closing(db); ${ask} leave();`,
          lines: ["ECONNREFUSED", "below in time"],
        },
      ],
      () => ({ PORT: String(port) }),
    );
  }
});

describe("MongoDB's client, and a server that answers after a while", { concurrency: 2 }, () => {
  let server: Awaited<ReturnType<typeof startMongo>>;
  before(async () => (server = await startMongo()));
  after(() => server.stop());

  const OPEN = `
    import { MongoClient } from "mongodb";
    const client = new MongoClient("mongodb://127.0.0.1:" + process.env.PORT + "/?directConnection=true");
    closing(client);
    const things = client.db("test").collection("things");
    const insert = () => say(things.insertOne({ a: 1 }));`;
  check(
    [
      {
        name: "an operation under way is answered",
        source: `${OPEN} await client.connect(); insert(); setTimeout(leave, 100);`,
        lines: ["answered", "below in time"],
      },
      {
        name: "an operation of this very moment is answered",
        source: `${OPEN} insert(); leave();`,
        lines: ["answered", "below in time"],
      },
      {
        name: "who listens for changes is not waited for, and what is under way beside it is",
        source: `${OPEN}
          await client.connect();
          things.watch().on("change", () => {}).on("error", () => {});
          setTimeout(() => { insert(); leave(); }, 100);`,
        lines: ["answered", "below in time"],
      },
      {
        name: "that the program is closing, or that nobody is there, is no error",
        source: `${OPEN}
          await client.connect();
          client.close();
          const none = new MongoClient("mongodb://${NOBODY}");
          closing(none);
          none.connect().catch(() => {});
          leave();`,
        lines: ["below in time"],
      },
    ],
    () => ({ PORT: String(server.port) }),
  );
});

describe("with nobody at the other end", { concurrency: 2 }, () => {
  check([
    {
      name: "ioredis, which goes on trying",
      source: `
        import { Redis } from "ioredis";
        const client = new Redis("redis://${NOBODY}", { maxRetriesPerRequest: null });
        client.on("error", () => {});
        closing(client);
        client.ping();
        setTimeout(leave, 100);`,
      lines: ["below in time"],
    },
    {
      name: "redis, which goes on trying",
      source: `
        import { createClient } from "redis";
        const client = createClient({ url: "redis://${NOBODY}" });
        client.on("error", () => {});
        client.connect().catch(() => {});
        closing(client);
        client.ping().catch(() => console.log("told"));
        setTimeout(leave, 100);`,
      lines: ["told", "below in time"],
    },
    {
      name: "BullMQ's Queue, Worker and QueueEvents, which go on trying",
      source: `
        import { Queue, QueueEvents, Worker } from "bullmq";
        const connection = { host: "127.0.0.1", port: 1 };
        for (const client of [new Queue("q", { connection }), new QueueEvents("q", { connection }), new Worker("q", async () => {}, { connection })]) {
          client.on("error", () => {});
          closing(client);
        }
        setTimeout(leave, 300);`,
      lines: ["below in time"],
    },
    {
      name: "pg's Client, whose connection has failed",
      source: `
        import pg from "pg";
        const client = new pg.Client("postgres://${NOBODY}/none");
        closing(client);
        client.connect().catch(({ code }) => { console.log(code); leave(); });`,
      lines: ["ECONNREFUSED", "below in time"],
    },
    {
      name: "postgres.js, whose connection fails in this very moment",
      source: `
        import postgres from "postgres";
        const sql = postgres("postgres://${NOBODY}/none");
        closing(sql);
        say(sql\`SELECT 1\`);
        leave();`,
      lines: ["ECONNREFUSED", "below in time"],
    },
    {
      name: "postgres.js that was never used, or has been ended",
      source: `
        import postgres from "postgres";
        const sql = postgres("postgres://${NOBODY}/none");
        closing(sql);
        closing(postgres("postgres://${NOBODY}/none"));
        await sql.end();
        leave();`,
      lines: ["below in time"],
    },
    {
      name: "kafkajs' Producer, Consumer and Admin, connecting and never connected",
      source: `
        import { Kafka } from "kafkajs";
        const kafka = new Kafka({ brokers: ["${NOBODY}"], logLevel: 0 });
        for (const client of [kafka.producer(), kafka.consumer({ groupId: "g" }), kafka.admin()]) {
          closing(client);
          client.connect().catch(() => {});
        }
        closing(kafka.producer());
        setTimeout(leave, 100);`,
      lines: ["below in time"],
    },
  ]);
});

const redis = provideRedis();

describe("BullMQ on a real Redis", { skip: "missing" in redis && redis.missing }, () => {
  let server: RealServer;
  before(async () => {
    if ("command" in redis) server = await startRedis(redis);
  });
  after(() => server.stop());

  check(
    [
      {
        name: "a Worker's job under way is done; a Queue and QueueEvents beside it are closed",
        source: `
          import { Queue, QueueEvents, Worker } from "bullmq";
          const connection = { host: "127.0.0.1", port: Number(process.env.PORT) };
          const queue = new Queue("jobs", { connection });
          closing(queue);
          closing(new QueueEvents("jobs", { connection }));
          const worker = new Worker("jobs", async () => { setImmediate(leave); await new Promise((resolve) => setTimeout(resolve, 300)); }, { connection });
          closing(worker);
          worker.on("completed", () => console.log("done"));
          await queue.add("job", {});`,
        lines: ["done", "below in time"],
      },
    ],
    () => ({ PORT: String(server.port) }),
  );
});

describe("servers and loggers", { concurrency: 2 }, () => {
  const HAPI = `
    import { server as create } from "@hapi/hapi";
    const hapi = create({ port: 0, host: "127.0.0.1" });
    hapi.route({ method: "GET", path: "/", handler: async () => { setImmediate(leave); await new Promise((resolve) => setTimeout(resolve, 300)); return "answered"; } });
    closing(hapi);`;
  check([
    {
      name: "hapi: what it has accepted is answered, also on a connection that seemed to be idle; and its own hooks run",
      source: `${HAPI}
        import { Agent, get } from "node:http";
        hapi.ext("onPreStop", () => console.log("stopping"));
        await hapi.start();
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const ask = (path) => new Promise((resolve, reject) => get(hapi.info.uri + path, { agent }, (response) => {
          response.setEncoding("utf8").on("data", (text) => { if (path === "/") console.log(text); }).on("end", resolve);
        }).on("error", reject));
        await ask("/none");
        await ask("/");`,
      lines: ["stopping", "answered", "below in time"],
    },
    {
      name: "hapi: that was never started, or that the program is stopping, is no error",
      source: `${HAPI}
        const second = create({ port: 0, host: "127.0.0.1" });
        closing(second);
        await second.start();
        second.stop().then(() => console.log("stopped"));
        leave();`,
      lines: ["stopped", "below in time"],
    },
    {
      name: "winston: all that was logged is in the file",
      source: `
        import { readFileSync } from "node:fs";
        import winston from "winston";
        const filename = process.env.WORK + "/app.log";
        process.on("exit", () => console.log(readFileSync(filename, "utf8").split("\\n").length - 1));
        const logger = winston.createLogger({ transports: [new winston.transports.File({ filename })] });
        closing(logger);
        for (let n = 0; n < 2_000; n += 1) logger.info("x".repeat(100));
        leave();`,
      lines: ["below in time", "2000"],
    },
    {
      name: "winston: that the program ends, or has ended, is waited for, and is no error",
      source: `
        import { readFileSync } from "node:fs";
        import winston from "winston";
        const filename = process.env.WORK + "/app.log";
        process.on("exit", () => console.log(readFileSync(filename, "utf8").split("\\n").length - 1));
        const ended = winston.createLogger({ transports: [new winston.transports.Stream({ stream: process.stderr })] });
        closing(ended);
        ended.end();
        await new Promise((resolve) => setTimeout(resolve, 100));
        const logger = winston.createLogger({ transports: [new winston.transports.File({ filename })] });
        closing(logger);
        for (let n = 0; n < 2_000; n += 1) logger.info("x".repeat(100));
        logger.end();
        leave();`,
      lines: ["below in time", "2000"],
    },
    {
      name: "a session of HTTP/2: its streams are answered; one that was closed is no error",
      source: `
        import { connect, createServer } from "node:http2";
        const server = createServer((_, response) => setTimeout(() => response.end(), 200)).listen(0, "127.0.0.1", () => {
          const open = () => connect("http://127.0.0.1:" + server.address().port);
          const closed = open(), session = open();
          closing(session);
          closing(closed);
          closed.close();
          const stream = session.request({ ":path": "/" });
          stream.resume().on("end", () => console.log("answered"));
          setTimeout(leave, 100);
        });`,
      lines: ["answered", "below in time"],
    },
    {
      name: "a WebSocket of the platform: the other side hears the good-bye",
      source: `
        import { WebSocketServer } from "ws";
        let tell;
        const told = new Promise((resolve) => (tell = resolve));
        register(() => told);
        if (typeof WebSocket === "undefined") { console.log("told 1005"); tell(); leave(); } // Node 20
        const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
        sockets.on("connection", (socket) => socket.on("close", (code) => { console.log("told", code); tell(); }));
        sockets.on("listening", () => {
          const socket = new WebSocket("ws://127.0.0.1:" + sockets.address().port);
          closing(socket);
          socket.addEventListener("open", leave);
        });`,
      lines: ["told 1005", "below in time"],
    },
  ]);
});

describe("clients that are too large to be had here, by what they show", () => {
  /** The methods of each that matter, what else it shows, and which of them are called. */
  const shapes: Readonly<Record<string, readonly [methods: string, calls: string, shown?: object]>> = {
    "nats: drains, and does not close": [
      "close drain flush publish subscribe isClosed isDraining",
      "isClosed isDraining drain",
    ],
    "BullMQ: closes, and never drains, which deletes jobs": ["close disconnect drain waitUntilReady add", "close"],
    "Agenda: drains, and does not stop, which leaves jobs": ["drain stop define every now", "drain"],
    "generic-pool: drains, and clears": ["drain clear destroy acquire release", "drain clear", { borrowed: 0 }],
    "amqplib: a connection": ["close createChannel createConfirmChannel", "close", { connection: { channels: [] } }],
    "mariadb: a pool": [
      "end query execute getConnection activeConnections taskQueueSize",
      "activeConnections taskQueueSize end",
    ],
    "mariadb: a connection is asked before it ends": ["close destroy end query ping importFile isValid", "ping end"],
    "TypeORM: a DataSource": ["destroy initialize getRepository query", "destroy", { isInitialized: true, driver: {} }],
    "TypeORM: one that was never initialized": ["destroy initialize getRepository query", "", { isInitialized: false }],
    Sequelize: ["close authenticate define query", "close"],
    MongoDB: ["close connect db startSession", "close"],
    Mongoose: ["disconnect connect createConnection model", "disconnect", { connections: [] }],
    "a connection of Mongoose that finds no server": [
      "close destroy model getClient",
      "close client.close",
      { readyState: 2, _queue: [] },
    ],
    "gRPC: a server that answers what it has accepted": ["tryShutdown forceShutdown bindAsync drain", "tryShutdown"],
    "Apollo Server": ["stop start executeOperation", "stop", { internals: { state: { phase: "started" } } }],
    "Apollo Server that was never started": [
      "stop start executeOperation",
      "",
      { internals: { state: { phase: "initialized" } } },
    ],
    "an extended Prisma": ["$connect $disconnect $extends", "$disconnect"],
  };
  test("Sequelize: its first query, which asks for the server's version before it is in the pool, is waited for", async () => {
    const pool = { waiting: 0, using: 0, size: 0 };
    const connectionManager = { pool, versionPromise: Promise.resolve() as Promise<void> | null };
    const options = { databaseVersion: 0 as number | string };
    let atClose = "";
    const close = () => {
      atClose = JSON.stringify({ ...pool, version: options.databaseVersion });
      return Promise.resolve();
    };
    const closed = closing({ close, authenticate() {}, define() {}, connectionManager, options }).close();
    await sleep(30);
    options.databaseVersion = "18.0.0";
    connectionManager.versionPromise = null;
    await sleep(30); // the connection that has asked ends
    Object.assign(pool, { using: 1, size: 1 });
    await sleep(30);
    pool.using = 0;
    await closed;
    assert.equal(atClose, '{"waiting":0,"using":0,"size":1,"version":"18.0.0"}');
  });

  test("graphile-worker: a Runner that the program is stopping is waited for", async () => {
    let hasEnded = false;
    const promise = sleep(50).then(() => (hasEnded = true));
    const stop = () => Promise.reject(new Error("Runner is already stopped"));
    await closing({ stop, kill() {}, addJob() {}, promise }).close();
    assert.equal(hasEnded, true);
  });

  /** Those that tell their end by a callback. */
  const CALLED_BACK = new Set(["tryShutdown"]);

  for (const [name, [methods, calls, shown = {}]] of Object.entries(shapes)) {
    test(name, async () => {
      const called: string[] = [];
      const make =
        (method: string, prefix = "") =>
        (done: unknown) => {
          called.push(`${prefix}${method}`);
          if (CALLED_BACK.has(method) && typeof done === "function") setImmediate(done as () => void);
          if (method.startsWith("is")) return false;
          return method.endsWith("s") || method.endsWith("Size") ? 0 : Promise.resolve();
        };
      const client = { close: make("close", "client.") };
      const resource = {
        client,
        ...shown,
        ...Object.fromEntries(methods.split(" ").map((each) => [each, make(each)])),
      };
      await closing(resource).close();
      assert.equal(called.join(" "), calls);
    });
  }
});

describe("what nothing is known of, but that it has a usual method", () => {
  const later = () => sleep(20);
  const rows: Readonly<Record<string, (over: () => void) => object>> = {
    "tells its end by a promise": (over) => ({ close: () => later().then(over) }),
    "tells its end by a promise that is none of this realm's": (over) => ({
      close: () => ({ then: (resolve: () => void) => void later().then(over).then(resolve) }),
    }),
    "tells its end by a callback": (over) => ({
      shutdown(callback: () => void) {
        void later().then(over).then(callback);
      },
    }),
    "tells its end by a callback that may be left out": (over) => ({
      shutdown(cb: () => void = () => {}) {
        void later().then(over).then(cb);
      },
    }),
    "tells its end by a callback behind a choice": (over) => ({
      close(force: boolean | undefined, done: () => void) {
        assert.equal(force, undefined);
        void later().then(over).then(done);
      },
    }),
  };
  for (const [name, make] of Object.entries(rows)) {
    test(`what ${name} is waited for`, async () => {
      let isOver = false;
      await closing(make(() => (isOver = true))).close();
      assert.equal(isOver, true);
    });
  }

  test("a method that takes something else than a callback is given none", async () => {
    const given: unknown[][] = [];
    const resource = {
      stop(...options: unknown[]) {
        given.push(options);
      },
    };
    const force = {
      close(isForced?: boolean) {
        given.push([isForced]);
      },
    };
    await closing(resource).close();
    await closing(force).close();
    assert.deepEqual(given, [[], [undefined]]);
  });

  test("an emitter is waited for until it says that it is closed; one that says nothing, not for long", async () => {
    const silent = Object.assign(new EventEmitter(), { close() {} });
    const telling = Object.assign(new EventEmitter(), {
      isClosed: false,
      close() {
        void later().then(() => {
          telling.isClosed = true;
          telling.emit("close");
        });
      },
    });
    await closing(telling).close();
    assert.equal(telling.isClosed, true);
    assert.equal(telling.listenerCount("close"), 0);
    await closing(silent).close();
  });

  for (const error of [
    Object.assign(new Error("closed"), { code: "ERR_SERVER_NOT_RUNNING" }),
    new Error("Called end on pool more than once"),
    Object.assign(new Error("not connected"), { name: "ClientClosedError" }),
  ]) {
    test(`an error that says that it is closed already is none: ${error.message}`, async () => {
      await closing({ close: () => Promise.reject(error) }).close();
    });
  }

  test("any other error is one, also that nobody took what a client had to send", async () => {
    for (const code of ["ECONNREFUSED", "EACCES"]) {
      const error = Object.assign(new Error("not sent"), { code });
      await assert.rejects(closing({ close: () => Promise.reject(error) }).close(), error);
    }
  });
});
