// Streams and loggers: what was written has been taken.

import { has, type Resource, type WayToClose } from "./way-to-close.ts";

/** Also that of streams from readable-stream, as winston's are, which tell nobody who comes after the end. */
const stateOf = ({ _writableState, writableFinished, writableEnded }: Resource): Resource =>
  (_writableState ?? { finished: writableFinished, ended: writableEnded }) as Resource;

export const logs: readonly WayToClose[] = [
  {
    of: "stream: Writable (waits until all is written)",
    call: "end",
    callback: true,
    isClosed: (r) => r["destroyed"] === true || stateOf(r)["finished"] === true,
    isClosing: (r) => stateOf(r)["ended"] === true,
    matches: has("end", "write", "cork", "uncork"),
  },
  { of: "pino: flushed", call: "flush", callback: true, matches: has("flush", "child", "bindings", "isLevelEnabled") },
  { of: "sonic-boom: flushed, and closed", call: "end", matches: has("flushSync", "reopen", "end") },
  {
    of: "thread-stream: pino's transport, when its thread has ended",
    call: "end",
    event: "close",
    isClosed: ({ destroyed }) => destroyed === true,
    matches: has("end", "write", "flushSync", "unref"),
  },
];
