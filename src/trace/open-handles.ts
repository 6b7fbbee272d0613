// Names for people what the event loop waits for. Where each handle was opened is
// known only while async_hooks watch, which slows every promise of the program
// down: so they watch only where a report was asked for.

import { builtin } from "../platform/node-builtins.ts";
import { packageDirectory } from "../platform/package-files.ts";
import { process } from "../platform/process.ts";

/** Stands for a place where this package has opened the handle for itself. */
const OWN = Symbol("own");

/** The undocumented fields of a timer that async_hooks give. */
type Resource = object & { hasRef?(): boolean; readonly _destroyed?: boolean; readonly _idleTimeout?: number };

/** The place where a handle was opened, and the cleanup that opened it. */
interface Opened {
  readonly type: string;
  readonly place: string | typeof OWN | undefined;
  readonly resource: WeakRef<Resource>;
}

/** Something that keeps the event loop alive. */
interface Open {
  readonly text: string;
  /** Its number as an asynchronous resource. */
  readonly id: number | undefined;
}

const NOTHING = "nothing that Node knows of: no open handle, request or timer will settle it";

/** How many open handles are named. */
const MOST = 8;

/** Returns the name of a request that ends with its callback. Crypto is left out: its synchronous part shows no end. */
function requestOf(type: string): string | undefined {
  if (/^FSReq/i.test(type)) return "a file system request";
  return /^(?:GetAddrInfo|GetNameInfo|Query)/i.test(type) ? "a DNS lookup" : undefined;
}

/** The types whose place is worth knowing: `_getActiveHandles()` gives most of them. */
const HANDLE = /^(?:Timeout|TCP|PIPE|TTY|UDP|PROCESS|WORKER|FSEVENT|STATWATCHER|MESSAGEPORT|HTTP2SESSION)/;

type Handle = object & {
  readonly fd?: number;
  readonly pid?: number;
  readonly spawnargs?: readonly string[];
  readonly threadId?: number;
  readonly _handle?: { getAsyncId?(): number } | null;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localPort?: number;
  readonly server?: unknown;
  address?(): unknown;
};

export class OpenHandles {
  readonly #opened = new Map<number, Opened>();
  /** The cleanup that each asynchronous resource belongs to. */
  readonly #owners = new Map<number, object>();
  #current: object | undefined;
  readonly #watches: boolean;

  /** @param watches whether to find out where things are opened, from now on */
  constructor(watches = true) {
    this.#watches = watches;
    if (watches) this.#watch();
  }

  /** Marks the beginning of a cleanup's synchronous part. */
  enter(cleanup: object): void {
    this.#current = cleanup;
  }

  leave(cleanup: object): void {
    if (this.#current === cleanup) this.#current = undefined;
  }

  /** Returns the handles that the cleanup has opened itself; where there are none, or none is known, all others. */
  waitedFor(cleanup: object): string[] {
    const open = [...this.#open()];
    const ownerOf = ({ id }: Open) => (id === undefined ? undefined : this.#owners.get(id));
    const own = open.filter((each) => ownerOf(each) === cleanup);
    if (own.length > 0) return this.#said(own);
    const others = open.filter((each) => ownerOf(each) === undefined);
    if (others.length === 0) return [NOTHING];
    return [`${this.#watches ? "nothing of its own; open besides" : "what is open"}: ${this.#said(others).join("; ")}`];
  }

  /** Returns all open handles. */
  all(): string[] {
    const open = [...this.#open()];
    return open.length === 0 ? [NOTHING] : this.#said(open);
  }

  #said(open: readonly Open[]): string[] {
    const texts = open.map(({ text, id }) => {
      const place = id === undefined ? undefined : this.#opened.get(id)?.place;
      return typeof place === "string" ? `${text}, opened at ${place}` : text;
    });
    const counts = new Map<string, number>();
    for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
    const said = [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`));
    return said.length > MOST ? [...said.slice(0, MOST), `and ${said.length - MOST} more`] : said;
  }

  *#open(): Generator<Open> {
    const { _getActiveHandles } = process as unknown as { _getActiveHandles?(): Handle[] };
    for (const handle of _getActiveHandles?.call(process) ?? []) {
      try {
        const text = describe(handle);
        if (text !== undefined) yield { text, id: handle._handle?.getAsyncId?.() };
      } catch {
        yield { text: "something that cannot be shown", id: undefined }; // it may be the program's own, with getters that throw
      }
    }
    if (!this.#watches) {
      for (const name of process.getActiveResourcesInfo()) {
        // Most wraps have been shown already as the handles that they belong to.
        const text =
          name === "Timeout" ? "a timer" : (requestOf(name) ?? (/Wrap$|^Process$/.test(name) ? "" : `a ${name}`));
        if (text !== "") yield { text, id: undefined };
      }
      return;
    }
    for (const [id, { type, resource }] of this.#opened) {
      const it = resource.deref();
      if (it === undefined || it._destroyed === true || it.hasRef?.() === false) continue;
      if (type === "Timeout") yield { text: `a timer of ${it._idleTimeout} ms`, id };
      else {
        const text = requestOf(type);
        if (text !== undefined) yield { text, id };
      }
    }
  }

  #watch(): void {
    const { createHook, executionAsyncId } = builtin("async_hooks");
    const forget = (id: number) => {
      this.#opened.delete(id);
      this.#owners.delete(id);
    };
    createHook({
      init: (id, type, _trigger, resource) => {
        const owner = this.#current ?? this.#owners.get(executionAsyncId());
        if (owner !== undefined) this.#owners.set(id, owner);
        if (!HANDLE.test(type) && requestOf(type) === undefined) return;
        const place = placeHere();
        if (place !== OWN) this.#opened.set(id, { type, place, resource: new WeakRef(resource) });
      },
      after: (id) => {
        if (requestOf(this.#opened.get(id)?.type ?? "") !== undefined) forget(id);
      },
      destroy: forget,
    }).enable();
  }
}

function describe(handle: Handle): string | undefined {
  const { fd, pid, spawnargs, threadId } = handle;
  if (typeof fd === "number" && fd >= 0 && fd <= 2) return fd === 0 ? "standard input" : undefined;
  if (spawnargs !== undefined) return `the child process ${pid} (${spawnargs.join(" ").slice(0, 100)})`;
  if (threadId !== undefined) return `the worker thread ${threadId}`;
  const { remoteAddress, remotePort, localPort } = handle;
  if (remoteAddress !== undefined) {
    const end = `${remoteAddress}:${remotePort}`;
    return handle.server ? `a connection from ${end} to port ${localPort}` : `a connection to ${end}`;
  }
  const name = handle.constructor.name;
  const address = typeof handle.address === "function" ? addressOf(handle) : undefined;
  if (address !== undefined) return `a server on ${address}`;
  return name === "Socket" ? "a pipe or socket" : `a ${name}`;
}

function addressOf(handle: Handle): string | undefined {
  try {
    const address = handle.address?.() as { address?: string; port?: number } | string | null;
    if (typeof address === "string") return address;
    return address?.address === undefined ? undefined : `${address.address}:${address.port}`;
  } catch {
    return undefined; // the socket is not bound any more
  }
}

/** Matches frames of Node itself. */
const FOREIGN = /[( ]node:|^\s+at new Promise|^\s+at <|[( ]internal\//;

/** Part of the frames of this package, in ES modules and in CommonJS. */
const PACKAGE = packageDirectory();

/** Returns the program's nearest frame; `undefined` where Node has opened the handle. */
function placeHere(): string | typeof OWN | undefined {
  const site: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 25;
    Error.captureStackTrace(site, placeHere);
    Error.stackTraceLimit = limit;
    const frames = String(site.stack).split("\n").slice(1);
    const place = frames.find((frame) => /:\d+\)?$/.test(frame) && !FOREIGN.test(frame) && !frame.includes(PACKAGE));
    if (place === undefined && frames.some((frame) => frame.includes(PACKAGE))) return OWN;
    return place?.trim().replace(/^at (?:async )?/, "");
  } catch {
    return undefined; // Error is frozen, or its prepareStackTrace throws
  }
}
