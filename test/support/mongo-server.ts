// As much of a MongoDB server as a client needs to connect and to wait for an answer.
// Source of the messages: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { BSON } from "mongodb";

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

/** How long an insertion, and the next change, take, in milliseconds. */
const INSERTED_AFTER = 300;
const CHANGED_AFTER = 1_000;

const HELLO = {
  ok: 1,
  ismaster: true,
  isWritablePrimary: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  localTime: new Date(0),
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: 25,
};

const CURSOR = { id: BSON.Long.fromNumber(7), ns: "test.things" };

/** What each command is answered with, and after how many milliseconds. */
const ANSWERS: Readonly<Record<string, readonly [answer: object, after?: number]>> = {
  insert: [{ n: 1 }, INSERTED_AFTER],
  aggregate: [{ cursor: { ...CURSOR, firstBatch: [] } }],
  getMore: [{ cursor: { ...CURSOR, nextBatch: [] } }, CHANGED_AFTER],
};

/** Listens on a free port of loopback. */
export async function startMongo(): Promise<{ readonly port: number; stop(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let bytes = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let size = sizeOf(bytes); size !== undefined; size = sizeOf(bytes)) {
        answer(socket, bytes.subarray(0, size));
        bytes = bytes.subarray(size);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The size of the first message, if all of it is there. */
function sizeOf(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined;
  const size = bytes.readInt32LE(0);
  return bytes.length < size ? undefined : size;
}

function answer(socket: Socket, message: Buffer): void {
  const id = message.readInt32LE(4);
  const operation = message.readInt32LE(12);
  // The first question of a connection comes in the old way.
  if (operation === OP_QUERY)
    socket.write(messageOf(OP_REPLY, id, Buffer.concat([replyHead(), BSON.serialize(HELLO)])));
  if (operation !== OP_MSG) return;
  const command = BSON.deserialize(message.subarray(21, 21 + message.readInt32LE(21)));
  const [name = ""] = Object.keys(command);
  const isHello = /^(?:hello|ismaster)$/i.test(name);
  if (isHello && "maxAwaitTimeMS" in command) return; // it waits for news, of which there is none
  const [reply, after = 0] = isHello ? [HELLO] : (ANSWERS[name] ?? [{}]);
  const body = Buffer.concat([Buffer.alloc(5), BSON.serialize({ ok: 1, ...reply })]);
  setTimeout(() => socket.write(messageOf(OP_MSG, id, body)), after);
}

function messageOf(operation: number, to: number, body: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(to, 8);
  head.writeInt32LE(operation, 12);
  return Buffer.concat([head, body]);
}

/** Flags, a cursor, where it begins, and how many documents follow: one. */
function replyHead(): Buffer {
  const head = Buffer.alloc(20);
  head.writeInt32LE(8, 0);
  head.writeInt32LE(1, 16);
  return head;
}
