// How many bytes of a connection a request takes, as far as that shows.

import type { IncomingMessage } from "node:http";

const VERSION = " HTTP/1.1\r\n".length;
const SPACE = " ".length;
const COLON_AND_SPACE = ": ".length;
const END_OF_LINE = "\r\n".length;

/**
 * Returns the length of a request as it is usually written, in bytes; `undefined`
 * where its end shows only when it has come. One written otherwise (`Host:x`) is a
 * few bytes off.
 */
export function bytesOf({ method = "", url = "", rawHeaders, headers }: IncomingMessage): number | undefined {
  if (headers["transfer-encoding"] !== undefined) return undefined;
  let bytes = method.length + SPACE + url.length + VERSION + END_OF_LINE;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2); // both are in Latin-1: a character a byte
    bytes += name.length + COLON_AND_SPACE + value.length + END_OF_LINE;
  }
  return bytes + (Number(headers["content-length"]) || 0);
}
