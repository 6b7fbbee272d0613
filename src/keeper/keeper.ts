// A keeper: finds owners that are dead, and carries out what they have left.
//
//   look --stood still for its ttl--> claim --> one owner's recipes, last to first
//
// It acts on what it has seen stand still with its own clock, or on the word of the
// owner or its guard, and never on the engine's clock. What is seen must be seen
// without a gap: after a look that has failed, all observation starts anew, since
// while an engine is away everybody stands still.
//
// It is an owner itself. When others may take it for dead, by time or by the
// engine's word, its threads are ended, and what it has claimed is no longer its own.

import type { JsonValue } from "../durable/index.ts";
import type { Clock } from "../lease/clock.ts";
import type { Member } from "../lease/hub.ts";
import type { PermanentError } from "../lease/session.ts";
import type { Claim, DueRecipe, RecipeStore, Settled, Step, Suspect } from "../lease/recipe-store.ts";
import { timeOfDay } from "../platform/node-builtins.ts";
import type { ActionThreads } from "./action-threads.ts";
import { isTooDeep } from "./actions.ts";
import type { Carried } from "./carried.ts";
import { type Attempted, runOwner } from "./owner-run.ts";
import { publishCarried } from "./publish.ts";
import { Sightings } from "./sightings.ts";

export interface KeeperRules {
  /** How many owners at a time. */
  readonly concurrency: number;
  readonly tries: number;
  /** For an action, the engine's users who may ask for it; all where it is not named. */
  readonly from: Readonly<Record<string, readonly string[]>>;
}

/** What a look has found. */
interface Looked {
  readonly suspects: readonly Suspect[];
  /** The time after the answer. */
  readonly at: number;
}

/** How long one round observes, in milliseconds: a stranger's ttl may be a day. */
const LONGEST_ROUND = 600_000;
/** After how many looks that have failed one round is given up. */
const FAILURES_ONCE = 3;
/** How long to wait between two looks, in milliseconds, and by how much that is spread, as a part. */
const POLL = 1_000;
const SPREAD = 0.25;
/** The longest pause after looks that have failed, in milliseconds. */
const LONGEST_BACK_OFF = 10_000;

export class KeeperLoop {
  readonly #join: () => Member;
  readonly #threads: ActionThreads;
  readonly #rules: KeeperRules;
  readonly #clock: Clock;
  readonly #tell: (carried: Carried) => void;
  readonly #failed: (error: Error) => void;
  #member: Member;
  readonly #sightings = new Sightings();
  /** Those that have stood still for long enough at the last look, and are not claimed. */
  #found: Suspect[] = [];
  readonly #running = new Set<Promise<void>>();
  /** Those of them that wait for a recipe to be due again. */
  #waiting = 0;
  #failures = 0;
  #isStopping = false;
  /** Whether a claim may be this keeper's that nobody works at: it is given up with the owner. */
  #isLeaving = false;
  #isOnce = false;
  #lastError: unknown;
  readonly #wakes = new Set<() => void>();

  /** @param failed called where the engine does not answer, once until it does again */
  constructor(
    join: () => Member,
    threads: ActionThreads,
    rules: KeeperRules,
    clock: Clock,
    tell: (carried: Carried) => void,
    failed: (error: Error) => void,
  ) {
    this.#join = join;
    this.#threads = threads;
    this.#rules = rules;
    this.#clock = clock;
    this.#tell = tell;
    this.#failed = failed;
    this.#member = this.#enter();
  }

  /**
   * Looks for the first time.
   *
   * @throws (rejects with) an error with the code `ERR_ATEXIT_ENGINE` that the engine would repeat: a missing right or schema
   */
  async begin(): Promise<void> {
    await this.#look();
    if (!this.#isHopeless) return;
    await this.#leave();
    throw this.#lastError;
  }

  /** Carries out what dead owners leave, until it is stopped. Never rejects. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      const next = this.#clock.now() + this.#untilNextLook();
      while (!this.#isStopping && this.#clock.now() < next) {
        await this.#pause(next - this.#clock.now());
        await this.#claimSome(); // a place may have become free
      }
      if (!this.#isStopping) await this.#look();
    }
    await this.#leave();
  }

  /**
   * Carries out what is due now, and what owners have left who are silent for a whole
   * ttl from now on. What fails is left for a later round.
   *
   * @throws (rejects with) an error with the code `ERR_ATEXIT_ENGINE`
   */
  async runOnce(): Promise<void> {
    this.#isOnce = true;
    try {
      for (let end: number | undefined; !this.#isStopping;) {
        const looked = await this.#look();
        if (looked === undefined && (this.#isHopeless || this.#failures > FAILURES_ONCE)) throw this.#lastError;
        while (this.#found.length > 0 && !this.#isEnding) {
          if (this.#running.size > 0) await Promise.race(this.#running);
          await this.#claimSome();
        }
        await Promise.all(this.#running);
        if (looked !== undefined) {
          const longest = looked.suspects.reduce((most, { ttl }) => Math.max(most, ttl), 0);
          end ??= looked.at + Math.min(longest, LONGEST_ROUND);
          if (looked.at >= end) break;
        }
        const rest = looked === undefined || end === undefined ? Number.POSITIVE_INFINITY : end - this.#clock.now();
        await this.#pause(Math.min(this.#untilNextLook(), rest));
      }
    } finally {
      await this.#leave();
    }
  }

  /** Claims nothing more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    await Promise.all(this.#running);
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
  }

  get #isHopeless(): boolean {
    return this.#failures > 0 && (this.#lastError as PermanentError | undefined)?.isPermanent === true;
  }

  /** Whether nothing more is to be begun. */
  get #isEnding(): boolean {
    return this.#isStopping || this.#isLeaving;
  }

  async #leave(): Promise<void> {
    await Promise.all(this.#running);
    await this.#threads.close();
    await this.#member.leave();
  }

  /** Takes part as an owner of its own. When that is lost, another one begins with the next look. */
  #enter(): Member {
    const member = this.#join();
    member.session.onLost(() => {
      this.#forget();
      this.#isLeaving = true;
      void this.#threads.terminate();
    });
    return member;
  }

  #isOurs(member: Member): boolean {
    member.session.look();
    return member === this.#member && member.session.isOpen && member.session.remaining > 0;
  }

  /** Looks once, and claims. @returns `undefined` where the engine has not answered */
  async #look(): Promise<Looked | undefined> {
    try {
      const member = await this.#liveMember();
      const suspects = await member.session.send(({ recipes }, limit) =>
        (recipes as RecipeStore).suspects(this.#isOnce, limit),
      );
      if (suspects === "over") throw new Error("this keeper was declared dead");
      this.#failures = 0;
      const at = this.#clock.now();
      this.#sightings.see(suspects, at);
      this.#found = this.#shuffled(this.#sightings.stoodStill(suspects, at));
      // They start while the silent are observed. One round asks for all, silent or not.
      const coming = this.#isOnce ? this.#found : suspects;
      this.#threads.prepare(Math.min(coming.length, this.#rules.concurrency));
      await this.#claimSome();
      return { suspects, at };
    } catch (error) {
      this.#noAnswer(error);
      return undefined;
    }
  }

  /** Claims as many of those that were found as there are places for. What has moved since is refused. */
  async #claimSome(): Promise<void> {
    const member = this.#member;
    try {
      while (!this.#isEnding && this.#running.size - this.#waiting < this.#rules.concurrency) {
        const suspect = this.#found.pop();
        if (suspect === undefined) return;
        await this.#claim(member, suspect);
      }
    } catch (error) {
      this.#noAnswer(error);
    }
  }

  #noAnswer(error: unknown): void {
    this.#lastError = error;
    this.#failures += 1;
    this.#forget();
    if (this.#failures === 1 && !this.#isStopping) this.#failed(error as Error);
  }

  #forget(): void {
    this.#sightings.clear();
    this.#found = [];
  }

  /** A keeper that was lost, if only for a moment, gives up what it has claimed, and is another owner from then on. */
  async #liveMember(): Promise<Member> {
    const member = this.#member;
    const { session } = member;
    session.look();
    const isLost = session.hasBegun && session.remaining === 0;
    if (session.isOpen && !isLost && !this.#isLeaving) return member;
    this.#isLeaving = true;
    this.#wake();
    await Promise.all(this.#running);
    await member.leave();
    this.#isLeaving = false;
    this.#member = this.#enter();
    return this.#member;
  }

  async #claim(member: Member, suspect: Suspect): Promise<void> {
    this.#sightings.forget(suspect.owner);
    let claim: Claim | "over" | undefined;
    try {
      claim = await member.session.send(({ recipes }, limit) => (recipes as RecipeStore).claim(suspect, limit));
    } catch (error) {
      this.#isLeaving = true; // it may have been claimed
      throw error;
    }
    if (claim === undefined || claim === "over") return;
    const running = this.#runOwner(member, claim, suspect.who)
      .then((isOver) => {
        this.#isLeaving ||= !isOver && !this.#isOnce;
      })
      .finally(() => {
        this.#running.delete(running);
        this.#wake(); // others may be waiting for this place
      });
    this.#running.add(running);
  }

  #runOwner(member: Member, claim: Claim, who: unknown): Promise<boolean> {
    let took = 0;
    return runOwner({
      tries: this.#rules.tries,
      now: () => this.#clock.now(),
      step: (settled, passOver) => this.#step(member, claim, settled, passOver),
      attempt: async (recipe) => {
        const began = this.#clock.now();
        const attempted = await this.#attempt(member, claim, recipe);
        took = this.#clock.now() - began;
        return attempted;
      },
      told: (recipe, attempted, isLast) => this.#tell(carriedOf(claim, who, recipe, attempted, isLast, took)),
      pause: async (ms) => {
        if (this.#isOnce) return false;
        this.#waiting += 1;
        await this.#waitFor(ms);
        this.#waiting -= 1;
        return !this.#isEnding && this.#isOurs(member);
      },
    });
  }

  /** Repeats what was not answered, until others may have the claim. */
  async #step(member: Member, claim: Claim, settled: Settled | undefined, passOver: readonly number[]): Promise<Step> {
    while (this.#isOurs(member)) {
      try {
        const step = await member.session.send(({ recipes }, limit) =>
          (recipes as RecipeStore).step(claim, settled, passOver, limit),
        );
        // What has been done is settled in any case; the next one may be left to others.
        return this.#isEnding && typeof step === "object" ? "lost" : step;
      } catch {
        await new Promise<void>((resolve) => void this.#clock.after(member.session.retry, resolve, true));
      }
    }
    return "lost";
  }

  #attempt(member: Member, { owner }: Claim, recipe: DueRecipe): Promise<Attempted> {
    const { action, planter } = recipe;
    const { from } = this.#rules;
    const refused = (error: string): Promise<Attempted> => Promise.resolve({ outcome: "refused", error });
    if (!this.#threads.has(action)) return refused(`there is no action ${action}`);
    const allowed = Object.hasOwn(from, action) ? from[action] : undefined;
    if (allowed !== undefined && (planter === undefined || !allowed.includes(planter))) {
      return refused(`${planter ?? "a user whom the engine does not tell"} may not ask for ${action}`);
    }
    if (!this.#isOurs(member)) return Promise.resolve({ outcome: "failed", error: "this keeper was lost" });
    return publishCarried(action, `${owner}/${recipe.seq}`, () => this.#threads.carryOut({ ...recipe, owner }));
  }

  #untilNextLook(): number {
    const backOff = POLL * 2 ** Math.min(this.#failures, 10);
    return Math.min(backOff, LONGEST_BACK_OFF) * (1 + SPREAD * (2 * this.#clock.random() - 1));
  }

  /** Waits so long, or until something has happened. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        stop();
        this.#wakes.delete(over);
        resolve();
      };
      const stop = this.#clock.after(Math.max(0, ms), over, true);
      this.#wakes.add(over);
      if (this.#isStopping) over();
    });
  }

  /** Waits so long, or until nothing more is to be begun. */
  async #waitFor(ms: number): Promise<void> {
    const end = this.#clock.now() + ms;
    for (let left = ms; left > 0 && !this.#isEnding; left = end - this.#clock.now()) await this.#pause(left);
  }

  /** Several keepers begin with different owners. */
  #shuffled(suspects: readonly Suspect[]): Suspect[] {
    const keyed = suspects.map((suspect) => ({ suspect, at: this.#clock.random() }));
    return keyed.sort((a, b) => a.at - b.at).map(({ suspect }) => suspect);
  }
}

function carriedOf(
  { owner }: Claim,
  who: unknown,
  { action, args, seq, tries, planter }: DueRecipe,
  attempted: Attempted,
  isLast: boolean,
  took: number,
): Carried {
  const outcome = {
    done: "carried",
    refused: "refused",
    failed: isLast ? "dead letter" : "failed",
  } as const;
  return {
    at: new Date(timeOfDay()).toISOString(),
    action,
    args: jsonOr(args),
    outcome: outcome[attempted.outcome],
    ...("error" in attempted ? { error: attempted.error } : {}),
    tries: tries + 1,
    took,
    owner: Object(who) as Carried["owner"],
    ...(planter === undefined ? {} : { planter }),
    id: `${owner}/${seq}`,
  };
}

/** What is nested so deeply that it could not be printed stays a text. */
function jsonOr(text: string): JsonValue {
  if (isTooDeep(text)) return text;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
