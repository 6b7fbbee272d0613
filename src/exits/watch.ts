// Stands where a way out can first be seen, from the first registration to the
// last one's end, and not longer. What is done then is in exits.ts, which is
// loaded with the first event; how it goes away again is in unwatch.ts.

import { isMainThread } from "../builtin.js";
import type { Settings } from "../settings.js";
import { EmitHooks } from "./emit.js";
import type { Exits } from "./exits.js";
import type { Standing } from "./way-out.js";

export class Watch {
  isOn: boolean;
  readonly settings: Settings;
  readonly exits: () => Exits;
  /** One function for all signals. */
  readonly onSignal: NodeJS.SignalsListener;
  readonly emit: EmitHooks;
  signals: readonly NodeJS.Signals[];
  standing: Standing | undefined;
  /** Where it is about to end. */
  lingering: NodeJS.Timeout | undefined;

  /** @param exits what takes the events */
  constructor(settings: Settings, exits: () => Exits) {
    this.isOn = false;
    this.settings = settings;
    this.exits = exits;
    this.onSignal = (signal) => exits().signals.on(signal);
    this.emit = new EmitHooks((event) => exits().hook(event));
    this.signals = [];
    this.standing = undefined;
    this.lingering = undefined;
  }

  begin(): void {
    this.isOn = true;
    this.listen();
    // Whether somebody can ask this thread to end by a message.
    if (!isMainThread || process.channel !== undefined) {
      this.standing = this.exits().standing;
      this.standing.watch();
    }
    this.emit.watch(); // after the listeners above, whose arrival is an event too
  }

  /**
   * A real listener for each signal, in front of all others: behind them, a
   * `once` listener of the program would already be gone, and the signal would
   * look like nobody's. A worker thread receives no signals.
   */
  listen(): void {
    if (!isMainThread) return;
    this.signals = this.settings.signals;
    for (const signal of this.signals) process.prependListener(signal, this.onSignal);
  }
}
