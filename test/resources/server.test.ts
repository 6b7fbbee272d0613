// Servers leave their clients well: what was accepted is answered, under load,
// on every protocol, and within a bound.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { type EventEmitter, once } from "node:events";
import { Agent, createServer, get, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import * as net from "node:net";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import autocannon from "autocannon";
import { server } from "../../src/resources/index.ts";
import { type WebSocket, WebSocketServer } from "ws";
import { selfSigned } from "../support/certificate.ts";
import { isLong } from "../support/long.ts";
import { runProgram } from "../support/program.ts";
import { type Ended, printed, run, statusOf } from "../support/run.ts";

const program = fileURLToPath(new URL(`./server-program${extname(import.meta.url)}`, import.meta.url));

async function withServer(
  args: readonly string[],
  body: (port: number, child: ChildProcess) => Promise<void>,
): Promise<Ended & { accepted: number; answered: number }> {
  const ended = await run(process.execPath, [program, ...args], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    async act(child) {
      let output = "";
      child.stdout?.on("data", (data) => (output += data));
      await printed(child, "\n");
      await body(Number(/port (\d+)/.exec(output)?.[1]), child);
    },
  });
  const told = /\{.*\}/.exec(ended.stdout)?.[0] ?? "{}";
  return { ...ended, ...(JSON.parse(told) as { accepted: number; answered: number }) };
}

/** Asks over a connection that stays open. Resolves when the answer has come, or the question has gone; returns what ends the client. */
async function keptAlive(kind: "http" | "https" | "h2c" | "h2", url: string): Promise<() => void> {
  const isAnswered = url.endsWith("/answered");
  if (kind === "h2" || kind === "h2c") {
    const session = http2.connect(url, { rejectUnauthorized: false }).on("error", () => {});
    const stream = session.request({ ":path": new URL(url).pathname }).on("error", () => {});
    if (isAnswered) await once(stream.resume(), "close");
    return () => session.destroy();
  }
  const agent = kind === "http" ? new Agent({ keepAlive: true }) : new https.Agent({ keepAlive: true });
  const options = { agent, rejectUnauthorized: false };
  const request = (kind === "http" ? get(url, options) : https.get(url, options)).on("error", () => {});
  if (isAnswered) {
    const [response] = (await once(request, "response")) as [IncomingMessage];
    await once(response.resume(), "end");
  }
  return () => agent.destroy();
}

interface Outcomes {
  answered: number;
  /** No connection was to be had: another instance would have answered. */
  refused: number;
  /** A request was sent, and its answer did not come. */
  cut: number;
}

/** Sends requests over connections that are kept alive, as a load balancer does, and acts in the midst of them. */
async function load(port: number, total: number, act: () => void): Promise<Outcomes> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const outcomes: Outcomes = { answered: 0, refused: 0, cut: 0 };
  let sent = 0;
  const one = () =>
    new Promise<void>((resolve) => {
      const request = get({ port, host: "127.0.0.1", agent }, (response) => {
        let size = 0;
        response.on("data", (chunk: Buffer) => (size += chunk.length));
        response.once("close", () => {
          if (response.complete && size === 500) outcomes.answered += 1;
          else outcomes.cut += 1;
          resolve();
        });
      });
      request.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNREFUSED") outcomes.refused += 1;
        else outcomes.cut += 1;
        resolve();
      });
    });
  const client = async () => {
    while (sent < total) {
      sent += 1;
      if (sent === Math.floor(total / 2)) act();
      await one();
    }
  };
  await Promise.all(Array.from({ length: 50 }, client));
  agent.destroy();
  return outcomes;
}

describe("SIGTERM in the midst of ten thousand requests over kept connections", () => {
  test("every one that was accepted is answered", async () => {
    let outcomes: Outcomes | undefined;
    const ended = await withServer(["atexit"], async (port, child) => {
      outcomes = await load(port, 10_000, () => child.kill("SIGTERM"));
    });
    assert.equal(statusOf(ended), "SIGTERM", ended.stderr);
    assert.equal(outcomes?.cut, 0);
    assert.ok(outcomes.answered >= 4_900 && outcomes.refused > 0, JSON.stringify(outcomes));
    assert.deepEqual([ended.accepted, ended.answered], [outcomes.answered, outcomes.answered]);
  });

  test(
    "the same beside Node alone, stoppable and http-terminator",
    { skip: !isLong && "only with --all" },
    async (t) => {
      for (const how of ["node", "stoppable", "http-terminator"]) {
        let outcomes: Outcomes | undefined;
        const ended = await withServer([how], async (port, child) => {
          outcomes = await load(port, 10_000, () => child.kill("SIGTERM"));
        });
        t.diagnostic(`${how}: ${JSON.stringify(outcomes)}, ${statusOf(ended)}`);
        assert.ok(outcomes !== undefined && outcomes.answered > 4_000);
      }
    },
  );

  test("under autocannon, all that the server has accepted is answered", async () => {
    const ended = await withServer(["atexit"], async (port, child) => {
      // Its types say that it returns a promise alone: it is an emitter, too.
      const load = autocannon({
        url: `http://127.0.0.1:${port}`,
        connections: 50,
        amount: 10_000,
      }) as unknown as EventEmitter & PromiseLike<unknown> & { stop(): void };
      let responses = 0;
      load.on("response", () => {
        responses += 1;
        if (responses === 5_000) child.kill("SIGTERM");
      });
      await once(child, "exit");
      load.stop();
      await load;
      assert.ok(responses >= 5_000);
    });
    assert.equal(statusOf(ended), "SIGTERM", ended.stderr);
    assert.ok(ended.accepted >= 5_000);
    assert.equal(ended.answered, ended.accepted);
  });
});

test("drainDelay: new connections are served until it is over", async () => {
  const ended = await withServer(["atexit", "400"], async (port, child) => {
    const ask = () =>
      new Promise<string>((resolve) => {
        get({ port, host: "127.0.0.1", agent: false }, (response) => {
          response.resume().once("end", () => resolve(String(response.statusCode)));
        }).once("error", (error: NodeJS.ErrnoException) => resolve(error.code as string));
      });
    assert.equal(await ask(), "200");
    const startedAt = performance.now();
    child.kill("SIGTERM");
    let served = 0;
    for (;;) {
      const answer = await ask();
      if (answer !== "200") break;
      served += 1;
      await sleep(20);
    }
    assert.ok(performance.now() - startedAt > 350, "it has served all the time");
    assert.ok(served >= 2);
  });
  assert.equal(statusOf(ended), "SIGTERM");
  assert.equal(ended.answered, ended.accepted);
});

test("drainDelay: several servers drain together, from the shutdown's beginning", async () => {
  const source = `
    import { once } from "node:events";
    import { createServer } from "node:http";
    import { exiting, register } from "atexit";
    import { server } from "atexit/resources";
    let began;
    exiting.addEventListener("abort", () => (began = performance.now()));
    register(() => console.log(performance.now() - began));
    for (let n = 0; n < 4; n += 1) {
      const http = createServer().listen(0, "127.0.0.1");
      await once(http, "listening");
      server(http, { drainDelay: 1_000, grace: 1_000 });
    }
    process.exit();`;
  const { stdout, stderr } = await runProgram(source);
  assert.ok(Number(stdout) >= 999 && Number(stdout) < 4_000, `${stdout} ${stderr}`);
});

const listening = async <S extends net.Server>(listener: S): Promise<[S, number]> => {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return [listener, (listener.address() as AddressInfo).port];
};

/** How long it took, in milliseconds. */
const timed = async (body: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await body();
  return performance.now() - startedAt;
};

describe("in process", () => {
  const slow: RequestListener = (_, response) => void setTimeout(() => response.end("done"), 300);

  for (const kind of ["http", "https"] as const) {
    test(`${kind}: an answer under way is completed, and is its connection's last; idle connections end`, async () => {
      const [listener, port] = await listening(
        kind === "http" ? createServer(slow) : https.createServer(selfSigned(), slow),
      );
      const leaving = server(listener, { grace: 5_000 });
      const agent =
        kind === "http"
          ? new Agent({ keepAlive: true })
          : new https.Agent({ keepAlive: true, rejectUnauthorized: false });
      const ask = () =>
        new Promise<[string, string | undefined]>((resolve, reject) => {
          const from = kind === "http" ? get : https.get;
          from({ port, host: "127.0.0.1", agent, path: "/" }, (response) => {
            let text = "";
            response.on("data", (chunk) => (text += chunk));
            response.once("end", () => resolve([text, response.headers.connection]));
          }).once("error", reject);
        });
      assert.deepEqual(await ask(), ["done", "keep-alive"]);
      const idle = net.connect(port, "127.0.0.1");
      await once(idle, "connect");
      await sleep(1_050); // it is idle now, and not between two requests
      const arrived = once(listener, "request");
      const ends: string[] = [];
      const answer = ask().finally(() => ends.push("answer"));
      await arrived;
      const idleEnded = once(idle.resume(), "close").then(() => ends.push("idle"));
      const took = await timed(() => leaving.close());
      assert.deepEqual(await answer, ["done", "close"]);
      await idleEnded;
      assert.deepEqual(ends, ["idle", "answer"], "idle ones do not wait for the others");
      assert.ok(took < 4_000, `it took ${took} ms`);
      assert.equal(listener.listening, false);
      agent.destroy();
    });
  }

  for (const kind of ["h2c", "h2"] as const) {
    test(`${kind}: GOAWAY, streams under way are completed, and the session ends`, async () => {
      const [listener, port] = await listening(
        kind === "h2c" ? http2.createServer() : http2.createSecureServer(selfSigned()),
      );
      listener.on("stream", (stream: http2.ServerHttp2Stream) => {
        setTimeout(() => stream.end("done"), 200);
      });
      const leaving = server(listener, { grace: 5_000 });
      const client = http2.connect(`${kind === "h2" ? "https" : "http"}://127.0.0.1:${port}`, {
        rejectUnauthorized: false,
      });
      const goaway = once(client, "goaway");
      const ask = async () => {
        const stream = client.request({ ":path": "/" });
        let text = "";
        for await (const chunk of stream.setEncoding("utf8")) text += chunk;
        return text;
      };
      assert.equal(await ask(), "done");
      const arrived = once(listener, "stream");
      const answer = ask();
      await arrived;
      const closed = once(client, "close");
      const took = await timed(() => leaving.close());
      assert.equal(await answer, "done");
      await Promise.all([goaway, closed]);
      assert.ok(took < 4_000, `it took ${took} ms`);
    });

    test(`${kind}: a session that is left at the end is cut, and counts once`, async () => {
      const [listener, port] = await listening(
        kind === "h2c" ? http2.createServer() : http2.createSecureServer(selfSigned()),
      );
      listener.on("stream", () => {}); // which is never answered
      const leaving = server(listener, { grace: 200 });
      const client = http2.connect(`${kind === "h2" ? "https" : "http"}://127.0.0.1:${port}`, {
        rejectUnauthorized: false,
      });
      client.on("error", () => {});
      const arrived = once(listener, "stream");
      client.request({ ":path": "/" }).on("error", () => {});
      await arrived;
      const closed = once(client, "close");
      assert.deepEqual(await leaving.close(), { cut: 1 });
      await closed;
    });
  }

  for (const [kind, make, scheme] of [
    ["http", () => createServer(), "http"],
    ["https", () => https.createServer(selfSigned()), "https"],
    ["h2c", () => http2.createServer(), "http"],
    ["h2", () => http2.createSecureServer(selfSigned()), "https"],
  ] as const) {
    for (const grace of [0, 200]) {
      test(`${kind}: of two clients only the one that waits for an answer is cut after a grace of ${grace} ms`, async () => {
        const [listener, port] = await listening(make());
        const asked = new Promise<void>((resolve) => {
          listener.on("request", ({ url }: { url: string }, response: ServerResponse) => {
            if (url === "/answered") response.end("done");
            else resolve();
          });
        });
        const leaving = server(listener, { grace });
        const clients = await Promise.all(
          ["/answered", "/unanswered"].map((path) => keptAlive(kind, `${scheme}://127.0.0.1:${port}${path}`)),
        );
        await asked;
        assert.deepEqual(await leaving.close(), { cut: 1 });
        for (const end of clients) end();
      });
    }
  }

  test("a connection on which nothing was asked is not cut after a short grace", async () => {
    const [listener, port] = await listening(createServer());
    const leaving = server(listener, { grace: 100 });
    const connected = once(listener, "connection");
    const client = net.connect(port, "127.0.0.1");
    await connected;
    const closed = once(client.resume(), "close");
    assert.deepEqual(await leaving.close(), { cut: 0 });
    await closed;
  });

  test("WebSockets are told through the hook; those that do not listen are cut at the end", async () => {
    const [listener, port] = await listening(createServer(slow));
    const sockets = new WebSocketServer({ server: listener });
    const leaving = server(listener, {
      grace: 400,
      upgraded(socket) {
        for (const client of sockets.clients as Set<WebSocket & { _socket: net.Socket }>) {
          if (client._socket === socket) client.close(1001, "going away");
        }
      },
    });
    const client = new (await import("ws")).WebSocket(`ws://127.0.0.1:${port}`);
    await once(client, "open");
    const closed = once(client, "close");
    const rude = net.connect(port, "127.0.0.1");
    rude.write(
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    await once(rude, "data");
    const cut = once(rude, "close");
    const took = await timed(async () => {
      assert.deepEqual(await leaving.close(), { cut: 1 }, "the one that did not listen");
    });
    const [code] = (await closed) as [number];
    assert.equal(code, 1001);
    await cut;
    assert.ok(took >= 390 && took < 10_000, `it took ${took} ms`);
    sockets.close();
  });

  test("a plain net server: each connection is told through the hook, and may end in its own time", async () => {
    const [listener, port] = await listening(net.createServer({ allowHalfOpen: true }));
    listener.on("connection", (socket) => socket.resume());
    const leaving = server(listener, { grace: 5_000, connected: (socket) => void socket.end("bye\n") });
    const client = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(client, "connect");
    let text = "";
    client.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    client.once("end", () => setTimeout(() => client.end(), 50));
    assert.deepEqual(await leaving.close(), { cut: 0 });
    assert.equal(text, "bye\n");
    await leaving.close();
  });

  test("a server that never listened, or was closed by the program, is no error", async () => {
    await server(createServer()).close();
    const [listener] = await listening(createServer());
    const leaving = server(listener);
    listener.close();
    await once(listener, "close");
    await leaving.close();
  });

  test("leaves no listener of its own behind", async () => {
    const [listener] = await listening(createServer(slow));
    const counts = () => listener.eventNames().map((name) => [name, listener.listenerCount(name)]);
    const before = counts();
    const leaving = server(listener);
    assert.notDeepEqual(counts(), before);
    await leaving.close();
    assert.deepEqual(counts(), before);
  });

  /** Sends text over a connection of its own; resolves with what has come by its end. */
  const exchange = (port: number, ...parts: readonly string[]) => {
    const socket = net.connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk) => (text += chunk));
    for (const part of parts) socket.write(part, "latin1");
    const end = once(socket, "close").then(() => text);
    return { socket, end };
  };

  test("a request of which only a part has come is answered, however long it takes", async () => {
    const [listener, port] = await listening(createServer((_, response) => response.end("done")));
    const leaving = server(listener, { grace: 8_000 });
    const { socket, end } = exchange(port, "GET / HTTP/1.1\r\nHo");
    await once(listener, "connection");
    await sleep(50);
    const took = timed(() => leaving.close());
    await sleep(1_500); // longer than an idle connection is kept
    socket.write("st: x\r\n\r\n");
    assert.match(await end, /^HTTP\/1.1 200 OK\r\n[^]*done/);
    assert.ok((await took) < 6_000);
  });

  test("a request that waits for leave to go on is answered", async () => {
    const [listener, port] = await listening(createServer());
    const leaving = server(listener, { grace: 8_000 });
    listener.on("request", (request, response) => {
      request.resume().once("end", () => response.end("done"));
    });
    listener.on("checkContinue", (request: unknown, response: ServerResponse) => {
      setTimeout(() => {
        response.writeContinue();
        listener.emit("request", request, response);
      }, 1_500);
    });
    const { socket, end } = exchange(
      port,
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    await once(listener, "checkContinue");
    const closed = leaving.close();
    await once(socket, "data");
    socket.write("ab");
    assert.match(await end, /100 Continue[^]*200 OK[^]*done/);
    await closed;
  });

  for (const [what, delay] of [
    ["at once", 0],
    ["after a while", 100],
  ] as const) {
    test(`requests that came in one breath are all answered, the last one last: ${what}`, async () => {
      const [listener, port] = await listening(
        createServer((request, response) => {
          const answer = () => response.end(`done ${request.url}`);
          if (delay === 0) answer();
          else setTimeout(answer, delay);
        }),
      );
      const leaving = server(listener, { grace: 5_000 });
      const first = exchange(port, "GET /0 HTTP/1.1\r\nHost: x\r\n\r\n");
      await once(first.socket, "data");
      const closed = leaving.close();
      while (listener.listening) await sleep(1);
      first.socket.write(["/a", "/b", "/c"].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
      const text = await first.end;
      assert.deepEqual(text.match(/done \S/g), ["done /", "done /", "done /", "done /"]);
      assert.deepEqual(text.match(/done \/\w/g), ["done /0", "done /a", "done /b", "done /c"]);
      assert.equal(text.match(/Connection: close/g)?.length, 1);
      assert.match(text, /Connection: close[^]*done \/c/);
      await closed;
    });
  }

  test("whoever closes the server meanwhile waits for the drain, and cuts nobody", async () => {
    const [listener, port] = await listening(createServer(slow));
    const leaving = server(listener, { grace: 5_000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        get({ port, host: "127.0.0.1", agent }, (response) => {
          response.resume().once("end", () => resolve(String(response.headers.connection)));
        }).once("error", reject);
      });
    await ask();
    const ends: string[] = [];
    const drained = leaving.close().then(() => ends.push("drain"));
    const closed = new Promise<void>((resolve) => {
      listener.close(() => resolve(void ends.push("close")));
      listener.closeIdleConnections();
    });
    // The connection is between two requests: `http.close()` would have cut it.
    assert.equal(await ask().finally(() => ends.push("answer")), "close");
    await Promise.all([drained, closed]);
    assert.equal(ends[0], "answer");
    assert.equal(Object.hasOwn(listener, "close"), false, "its methods are its own again");
    agent.destroy();
  });
});

test("as many servers as a program has are no leak", async () => {
  const source = `
    import { createServer } from "node:http";
    import { server } from "atexit/resources";
    for (let n = 0; n < 12; n += 1) server(createServer());`;
  const { stderr, code } = await runProgram(source);
  assert.deepEqual([stderr, code], ["", 0]);
});

test("three quarters of the time are the server's, and what nobody else wants", async () => {
  for (const [others, takes, answered] of [
    ["", 3_250, "answered\n"],
    ["register(() => {});", 3_250, ""],
    ["register(() => {});", 2_500, "answered\n"],
  ] as const) {
    const source = `
      import { once } from "node:events";
      import { createServer, get } from "node:http";
      import { configure, register } from "atexit";
      import { server } from "atexit/resources";
      configure({ grace: 4_000 });
      ${others}
      const http = createServer((_, response) => setTimeout(() => response.end(), ${takes})).listen(0, "127.0.0.1");
      await once(http, "listening");
      server(http);
      const arrived = once(http, "request");
      get({ port: http.address().port, host: "127.0.0.1", agent: false }, () => console.log("answered"))
        .on("error", () => {});
      await arrived;
      process.exit();`;
    const { stdout, stderr } = await runProgram(source);
    assert.equal(stdout, answered, stderr);
  }
});
