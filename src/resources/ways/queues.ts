// Clients of key-value stores, queues and brokers: what was sent has arrived, and the
// job or message that is being handled is handled to its end.

import { has, lengthOf, type Resource, type WayToClose } from "./way-to-close.ts";

/** Reports whether a channel of AMQP waits for confirmations: a connection that closes does not. */
function isUnconfirmed(channel: unknown): boolean {
  const { unconfirmed } = (channel ?? {}) as { unconfirmed?: unknown };
  return Array.isArray(unconfirmed) && unconfirmed.some((callback) => callback !== null && callback !== undefined);
}

export const queues: readonly WayToClose[] = [
  {
    of: "ioredis: QUIT, after what was sent",
    call: "quit",
    giveUp: "disconnect",
    isClosed: ({ status }) => status === "end" || status === "wait", // or has never been used
    matches: has("quit", "disconnect", "defineCommand", "duplicate"),
  },
  {
    of: "MQTT.js (after what was sent)",
    call: "end",
    with: [false, {}],
    callback: true,
    isClosed: ({ disconnected }) => disconnected === true,
    matches: has("end", "publish", "subscribe", "reconnect"),
  },
  {
    of: "redis: close, after what was sent",
    call: "close",
    giveUp: "destroy",
    // Without a connection close() connects no more, and waits for answers all the same.
    isBusy: ({ isReady, isOpen }) => isOpen === true && isReady === false,
    isClosed: ({ isOpen }) => isOpen === false,
    matches: has("close", "destroy", "sendCommand", "connect"),
  },
  { of: "redis 4: QUIT", call: "quit", matches: has("quit", "sendCommand", "connect") },
  {
    of: "NATS: drain (waits for messages that have come)",
    call: "drain",
    isClosed: (r) => (r["isClosed"] as () => boolean).call(r),
    isClosing: (r) => (r["isDraining"] as () => boolean).call(r),
    matches: has("drain", "publish", "subscribe", "isClosed", "isDraining"),
  },
  {
    of: "amqplib: connection, after its channels' confirmations",
    call: "close",
    callback: true,
    isBusy: ({ connection }) => {
      const channels = (connection as Resource | undefined)?.["channels"];
      return (
        Array.isArray(channels) && channels.some((entry) => isUnconfirmed((entry as Resource | null)?.["channel"]))
      );
    },
    matches: has("close", "createChannel", "createConfirmChannel"),
  },
  {
    of: "amqplib: channel, after its confirmations",
    call: "close",
    callback: true,
    isBusy: isUnconfirmed,
    matches: has("close", "assertQueue", "sendToQueue", "consume"),
  },
  { of: "kafkajs: Producer, Consumer, Admin", call: "disconnect", matches: has("disconnect", "connect", "logger") },
  {
    of: "BullMQ: Worker, Queue and others (waits for jobs under way)",
    call: "close",
    giveUp: "disconnect",
    matches: has("close", "waitUntilReady"),
  },
  { of: "Agenda (waits for jobs under way)", call: "drain", matches: has("drain", "define", "every", "now") },
  {
    of: "generic-pool (waits for what is lent out)",
    call: "drain",
    andThen: "clear",
    matches: (r) => has("drain", "clear", "acquire", "release")(r) && "borrowed" in r,
  },
  {
    of: "socket.io-client, after what was sent",
    call: "disconnect",
    isBusy: ({ io }) => {
      const engine = (io as Resource | undefined)?.["engine"] as Resource | undefined;
      const { ws } = (engine?.["transport"] ?? {}) as { ws?: { bufferedAmount?: number } };
      return lengthOf(engine, "writeBuffer") > 0 || (ws?.bufferedAmount ?? 0) > 0;
    },
    matches: (r) => has("disconnect", "emit", "compress")(r) && "io" in r,
  },
  {
    of: "graphile-worker: Runner (waits for jobs under way)",
    call: "stop",
    ending: ({ promise }) => (promise as Promise<unknown>).catch(() => {}),
    matches: (r) => has("stop", "kill", "addJob")(r) && "promise" in r,
  },
];
