// What an owner has planted, until it is settled. A planting that is not answered
// is repeated, and plants once; a settling is repeated until it is confirmed, or
// until keepers take the owner for dead.

import { leaseError } from "../errors/lease.ts";
import type { Clock } from "./clock.ts";
import type { RecipeStore } from "./recipe-store.ts";
import type { PermanentError, Session } from "./session.ts";

/** A recipe, before its owner and number are known. */
export interface Recipe {
  readonly action: string;
  /** JSON text. */
  readonly args: string;
  /** Signs it for an owner, as one of its recipes. */
  readonly sign: ((owner: string, seq: number) => string) | undefined;
}

export interface Planted {
  /** Has the engine forget it. Resolves after the first attempt; others follow. */
  settle(): Promise<void>;
}

interface RecipeOptions {
  readonly engine: string;
  readonly ttl: number;
  readonly clock: Clock;
}

export class OwnerRecipes {
  readonly #session: Session;
  readonly #owner: string;
  readonly #options: RecipeOptions;
  #last = 0;

  constructor(session: Session, owner: string, options: RecipeOptions) {
    this.#session = session;
    this.#owner = owner;
    this.#options = options;
  }

  /**
   * @param over called once when it is settled, or cannot be
   * @returns `undefined` where this owner is dead: another one may plant
   */
  async plant({ action, args, sign }: Recipe, over: () => Promise<void>): Promise<Planted | undefined> {
    const seq = (this.#last += 1);
    const recipe = { seq, action, args, signature: sign?.(this.#owner, seq) };
    const { clock, ttl, engine } = this.#options;
    for (const end = clock.now() + ttl; ;) {
      try {
        const answer = await this.#session.send((adapter, limit) =>
          (adapter.recipes as RecipeStore).plant(recipe, limit),
        );
        if (answer === "dead") this.#session.die();
        if (answer === "dead" || answer === "over") return undefined;
        if (answer === "full")
          throw leaseError("ERR_ATEXIT_RECIPES", engine, "10,000 recipes of one process are the limit");
        return { settle: () => this.#settle(seq, true, over) };
      } catch (error) {
        const { isPermanent, code } = error as PermanentError & NodeJS.ErrnoException;
        const isFinal = isPermanent === true || code !== "ERR_ATEXIT_ENGINE";
        if (!isFinal && clock.now() < end) await this.#pause();
        else {
          if (!isFinal) void this.#settle(seq, false, async () => {});
          throw error;
        }
      }
    }
  }

  async #settle(seq: number, isConfirmed: boolean, over: () => Promise<void>): Promise<void> {
    const { clock, ttl } = this.#options;
    const end = clock.now() + ttl;
    const attempt = async (): Promise<void> => {
      try {
        await this.#session.sendAnyway((adapter, limit) =>
          (adapter.recipes as RecipeStore).settle(seq, isConfirmed, limit),
        );
      } catch {
        if (clock.now() < end) return void clock.after(this.#session.retry, () => void attempt(), false);
      }
      await over();
    };
    await attempt();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(this.#session.retry, resolve, true));
  }
}
