// A lease that this process holds, until it is released or lost.
//
//   held --release()--> released
//   held --lose()-----> lost      by time, or by the engine's word

import { LeaseLostError, type LossReason } from "../errors/lease.ts";
import type { Session, Turn } from "./session.ts";

export class HeldLease implements Turn {
  readonly name: string;
  readonly token: bigint;
  readonly #session: Session;
  readonly #engine: string;
  readonly #over: () => Promise<void>;
  #reason: LossReason | undefined;
  /** Made when somebody asks for the signal: most ask the clock. */
  #controller: AbortController | undefined;
  #releasing: Promise<void> | undefined;
  /** Called once, when the lease is released or lost. */
  onEnd: () => void = () => {};

  /** @param over gives the name to the next in this process, and ends the session with its last lease */
  constructor(session: Session, engine: string, name: string, token: bigint, over: () => Promise<void>) {
    this.#session = session;
    this.#engine = engine;
    this.name = name;
    this.token = token;
    this.#over = over;
  }

  get signal(): AbortSignal {
    this.#session.look();
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#error(this.#reason));
    return this.#controller.signal;
  }

  get remaining(): number {
    return this.isHeld() ? this.#session.remaining : 0;
  }

  isHeld(): boolean {
    this.#session.look();
    return this.#reason === undefined;
  }

  throwIfLost(): void {
    if (!this.isHeld()) throw this.#error(this.#reason as LossReason);
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  /** It is over: the session has seen that. */
  lose(reason: LossReason): void {
    if (this.#reason !== undefined) return;
    this.#end(reason);
    void this.#over();
  }

  async #release(): Promise<void> {
    if (!this.isHeld()) return;
    this.#end("released");
    await this.#over();
  }

  #end(reason: LossReason): void {
    this.#reason = reason;
    this.#controller?.abort(this.#error(reason));
    this.onEnd();
  }

  #error(reason: LossReason): LeaseLostError {
    return new LeaseLostError(this.name, this.token, reason, this.#engine);
  }
}
