// What one thread has: its stack, its settings, and the exits it watches while
// anything is registered. All copies of this package in a thread share the first
// one's.
//
// Here is what each program needs that registers anything. All else that can be
// asked of a thread is in asked.ts, which is loaded when it is.

import asked, { type Asked } from "./asked.js" with { type: "late" };
import { callSite } from "./call-site.js";
import ending from "./ending.js" with { type: "late" };
import { isOperated } from "./environment.js";
import type { Exits } from "./exits/exits.js";
import unwatch from "./exits/unwatch.js" with { type: "late" };
import { Watch } from "./exits/watch.js";
import { type About, beside, Registration, type RegistrationStack } from "./registration.js";
import { defaultSettings, type Settings } from "./settings.js";
import { type AnyFunction, Stack, type StackWatcher } from "./stack.js";

export class Thread implements StackWatcher {
  readonly settings: Settings;
  readonly stack: RegistrationStack;
  readonly controller: AbortController;
  readonly exiting: AbortSignal;
  readonly watch: Watch;
  /** How often watching has begun. */
  beginnings: number;
  isEnvironmentRead: boolean;
  #exits: Exits | undefined;
  #asked: Asked | undefined;

  constructor() {
    this.settings = defaultSettings();
    this.stack = Object.assign(new Stack<Registration>(this), {
      running: 0,
      current: undefined,
      channels: undefined,
    });
    Registration.stack = this.stack; // of this copy, which has the only thread that makes any
    this.controller = new AbortController();
    this.exiting = this.controller.signal;
    this.watch = new Watch(this.settings, () => this.exits);
    this.beginnings = 0;
    this.isEnvironmentRead = false;
  }

  register(callee: AnyFunction, first: unknown, rest: readonly unknown[]): Registration {
    if (typeof first === "function") return this.add(callee, first as AnyFunction, rest, undefined);
    const { fn, options } = this.asked.checkRegistration(first, rest[0]);
    return this.add(callee, fn, rest.slice(1), options);
  }

  /** What register() does once everything is checked. The options are kept as they are. */
  add(callee: AnyFunction, fn: AnyFunction, args: readonly unknown[], options: About | undefined): Registration {
    const site = callSite(callee);
    const registration = new Registration(fn, args, site === undefined ? options : beside(options, { site }));
    this.stack.push(registration);
    return registration;
  }

  /** What is done on each way out: made when the first event comes, which for most programs is their end. */
  get exits(): Exits {
    this.#exits ??= new (ending().Exits)(this);
    return this.#exits;
  }

  /** Whether a shutdown has begun: the process is about to end. */
  get isEnding(): boolean {
    return this.#exits?.shutdown.exit !== undefined;
  }

  get asked(): Asked {
    this.#asked ??= asked(this);
    return this.#asked;
  }

  /** Watches, where it does not yet. */
  filled(): void {
    if (this.watch.isOn) return;
    if (!this.isEnvironmentRead) {
      if (isOperated(process.env)) this.asked.readEnvironment();
      this.isEnvironmentRead = true;
    }
    this.beginnings += 1;
    this.watch.begin();
  }

  emptied(): void {
    if (!this.isEnding) unwatch().emptied(this);
  }
}
