// How the package goes away again, where nothing is registered any more.

import { setTimeout } from "../builtin.js";
import type { Thread } from "../thread.js";
import type { EmitHooks } from "./emit.js";
import type { Watch } from "./watch.js";

/** Watching costs some hundred microseconds to begin: after so many beginnings in a row it lingers. */
const BEGINNINGS = 16;

/** How long it lingers, in milliseconds, when nothing is registered any more. */
const LINGER = 20;

const all = { emptied, listenNoMore };

export default function unwatch(): typeof all {
  return all;
}

/** Nothing is registered any more: listener counts, and `process.emit`, become what they were. */
function emptied(thread: Thread): void {
  const { watch } = thread;
  if (thread.beginnings < BEGINNINGS) {
    end(watch);
    return;
  }
  watch.lingering ??= setTimeout(() => {
    watch.lingering = undefined;
    if (thread.stack.size > 0 || thread.isEnding) return;
    thread.beginnings = 0;
    end(watch);
  }, LINGER).unref();
}

function end(watch: Watch): void {
  watch.isOn = false;
  putBack(watch.emit);
  watch.standing?.unwatch();
  watch.standing = undefined;
  listenNoMore(watch);
}

/** To no signal any more. */
function listenNoMore(watch: Watch): void {
  for (const signal of watch.signals) process.removeListener(signal, watch.onSignal);
  watch.signals = [];
}

function putBack(hooks: EmitHooks): void {
  const left = hooks.current === hooks.ours ? hooks.below : hooks.current;
  hooks.ours = undefined;
  const inherited = Object.getPrototypeOf(process).emit;
  if (hooks.found === undefined && left === inherited) delete (process as { emit?: unknown }).emit;
  else {
    const { enumerable = true } = hooks.found ?? {};
    Object.defineProperty(process, "emit", { configurable: true, enumerable, writable: true, value: left });
  }
}
