// How the package goes away again, where nothing is registered any more.

import type { EmitHooks } from "./emit.js";
import type { Watch } from "./watch.js";

/** Listener counts, and `process.emit`, are what they were. */
export function unwatch(watch: Watch): void {
  watch.isOn = false;
  putBack(watch.emit);
  watch.standing?.unwatch();
  watch.standing = undefined;
  listenNoMore(watch);
}

/** Listens to the signals of the settings, and to no others. */
export function signalsChanged(watch: Watch): void {
  if (!watch.isOn) return;
  listenNoMore(watch);
  watch.listen();
}

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
