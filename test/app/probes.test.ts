// Probes are answered whatever a client sends: nothing in a request may throw.

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as net from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, test } from "node:test";
import { answer, probeServer } from "../../src/app/probes.ts";

const serving = { isReady: true, isLeaving: false };

/** Answers a request; returns its status, or `undefined` where it was no probe. */
function statusOf(url: string | undefined, method = "GET"): number | undefined {
  let status: number | undefined;
  const response = {
    writeHead(code: number) {
      status = code;
      return response;
    },
    end: () => response,
  };
  const request = { url, method } as IncomingMessage;
  const isProbe = answer(serving, request, response as unknown as ServerResponse);
  assert.equal(isProbe, status !== undefined);
  return status;
}

describe("a request's target", () => {
  for (const [url, status] of [
    ["/livez", 200],
    ["/livez?verbose", 200],
    ["/livez#x", 200],
    ["http://host:80/livez?x", 200],
    ["//", undefined],
    ["///", undefined],
    ["//:80", undefined],
    ["//livez", undefined],
    ["http://", undefined],
    ["http://[", undefined],
    ["*", undefined],
    ["", undefined],
    [undefined, undefined],
    ["__proto__", undefined],
    ["/constructor", undefined],
    ["/%", undefined],
    ["/livez/", undefined],
  ] as const) {
    test(`${url}: ${status === undefined ? "no probe" : status}`, () => assert.equal(statusOf(url), status));
  }

  test("a hundred thousand of them, made at random: none throws", () => {
    const parts = [
      "/",
      "//",
      ":",
      "@",
      "?",
      "#",
      "[",
      "]",
      "%",
      "%zz",
      "\\",
      "..",
      "http:",
      "livez",
      "\0",
      "é",
      " ",
      "*",
    ];
    let seed = 1;
    const next = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let times = 0; times < 100_000; times += 1) {
      const url = Array.from({ length: next(8) }, () => parts[next(parts.length)]).join("");
      statusOf(url, ["GET", "HEAD", "POST", "OPTIONS", ""][next(5)]);
    }
  });
});

test("the probes' own server outlives every head that a client can write", async () => {
  const server = probeServer(serving).ref().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = async (text: string): Promise<string> => {
    const socket = net.connect(port, "127.0.0.1");
    let answered = "";
    socket.setEncoding("latin1").on("data", (chunk) => (answered += chunk));
    socket.on("error", () => {});
    socket.end(text, "latin1");
    await once(socket, "close");
    return answered.split("\r\n", 1)[0] ?? "";
  };
  const hostile = [
    "GET //",
    "GET ///",
    "GET //:80",
    "GET http://[",
    "OPTIONS *",
    "CONNECT :",
    "GET \xff",
    "GET /\0",
    "PRI *",
  ];
  for (const line of hostile) {
    await ask(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await ask(`${line} HTTP/1.1\r\nHost: //\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz`);
    assert.equal(await ask("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 OK", line);
  }
  server.close();
  server.closeAllConnections();
});
