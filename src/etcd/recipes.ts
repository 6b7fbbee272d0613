// The recipes of one owner in etcd, and those that it carries out for others.
//
//   PREFIX/q/<owner>         there may be recipes of this owner
//   PREFIX/r/<owner>/<seq>   a recipe; neither is bound to the owner's lease
//   PREFIX/d/<owner>/<seq>   a dead letter
//   PREFIX/k/<owner>         who carries its recipes out, bound to that keeper's lease;
//                            its create_revision is the claim's number
//
// An owner is dead when its own key is gone, PREFIX/s/<lease>, and then it cannot
// plant any more. Nobody's silence need be observed: etcd does that itself.

import type {
  Claim,
  Claimable,
  DueRecipe,
  PlantedRecipe,
  RecipeStore,
  Settled,
  Step,
  Suspect,
} from "../lease/recipe-store.ts";
import type { OwnerRecord } from "../lease/engine.ts";
import { timeOfDay } from "../platform/node-builtins.ts";
import { base64, fromBase64, type Gateway } from "./gateway.ts";

interface KeyValue {
  readonly key: string;
  readonly value: string;
}

interface Range {
  readonly kvs?: readonly KeyValue[];
  readonly count?: string;
}

interface TxnAnswer {
  readonly header: { readonly revision: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: Range }[];
}

/** What stands in a recipe's key. */
export interface StoredRecipe {
  readonly action: string;
  readonly args: string;
  readonly signature?: string | undefined;
  readonly tries: number;
  readonly error?: string | undefined;
  readonly plantedAt: string;
  readonly who: OwnerRecord["who"];
}

/** What stands in the key of an owner that may have recipes. */
interface StoredSuspect {
  readonly who: OwnerRecord["who"];
  readonly ttl: number;
}

const MOST_RECIPES = 10_000;
/** How long a failure's message may be in its key. */
const LONGEST_ERROR = 2_000;

export class EtcdRecipes implements RecipeStore {
  readonly #gateway: Gateway;
  readonly #owner: OwnerRecord;
  readonly #lease: string;
  readonly #prefix: string;
  /** What has been handed out, by its key. */
  readonly #handed = new Map<string, StoredRecipe>();

  /** @param lease the number of the owner's lease of etcd's */
  constructor(gateway: Gateway, owner: OwnerRecord, lease: string, prefix: string) {
    this.#gateway = gateway;
    this.#owner = owner;
    this.#lease = lease;
    this.#prefix = prefix;
  }

  async plant(recipe: PlantedRecipe, limit: number): Promise<"planted" | "dead" | "full"> {
    const { seq, action, args, signature } = recipe;
    const { id, who } = this.#owner;
    if (seq > MOST_RECIPES && (await this.#count(limit)) >= MOST_RECIPES) return "full";
    const key = this.#recipe(id, seq);
    const plantedAt = new Date(timeOfDay()).toISOString();
    const stored: StoredRecipe = { action, args, signature, tries: 0, plantedAt, who };
    const { succeeded, responses } = await this.#txn(limit, {
      compare: [this.#lives(this.#lease), { key, target: "CREATE", create_revision: "0" }],
      success: [put(this.#suspect(id), { who, ttl: this.#owner.ttl }), put(key, stored)],
      failure: [{ request_range: { key: this.#session(this.#lease) } }],
    });
    if (succeeded === true) return "planted";
    return rangeOf(responses, 0).length === 0 ? "dead" : "planted"; // it was there already
  }

  async settle(seq: number, isConfirmed: boolean, limit: number): Promise<void> {
    const key = this.#recipe(this.#owner.id, seq);
    const remove = { request_delete_range: { key } };
    // One that may still be under way finds its place taken, until the owner's end.
    const taken = { request_put: { key, value: base64(SETTLED), lease: this.#lease } };
    await this.#txn(limit, {
      compare: isConfirmed ? [] : [this.#lives(this.#lease)],
      success: [isConfirmed ? remove : taken],
      failure: [remove],
    });
  }

  /** Forgets that there may be recipes, where the owner ends and has left none. */
  async finished(limit: number): Promise<void> {
    if ((await this.#count(limit)) > 0) return;
    await this.#txn(limit, {
      compare: [],
      success: [{ request_delete_range: { key: this.#suspect(this.#owner.id) } }],
    });
  }

  async suspects(isAll: boolean, limit: number): Promise<Suspect[]> {
    const all = (letter: string, isKeysOnly: boolean) => ({
      request_range: {
        key: base64(`${this.#prefix}${letter}/`),
        range_end: base64(`${this.#prefix}${letter}0`),
        keys_only: isKeysOnly,
      },
    });
    const { responses } = await this.#txn(limit, {
      compare: [],
      success: [all("q", false), all("s", true), all("k", true)],
    });
    const [sessions, kept] = [1, 2].map((at) => new Set(rangeOf(responses, at).map((one) => this.#nameIn(one))));
    return rangeOf(responses, 0)
      .map((one) => {
        const owner = this.#nameIn(one);
        const { who, ttl } = JSON.parse(fromBase64(one.value)) as StoredSuspect;
        // One that lives is waited for: when its time is over, its key is gone.
        return sessions?.has(leaseOf(owner)) === true
          ? { owner, mark: "lives", ttl: etcdTtl(ttl), who }
          : { owner, mark: "dead", ttl: 0, who };
      })
      .filter(({ owner, mark }) => (isAll || mark === "dead") && kept?.has(owner) === false);
  }

  async claim({ owner }: Claimable, limit: number): Promise<Claim | undefined> {
    const key = this.#keeper(owner);
    const { header, succeeded } = await this.#txn(limit, {
      compare: [
        this.#lives(this.#lease),
        { key: this.#session(leaseOf(owner)), target: "CREATE", create_revision: "0" },
        { key, target: "CREATE", create_revision: "0" },
      ],
      success: [{ request_put: { key, value: base64(JSON.stringify(this.#owner.who)), lease: this.#lease } }],
    });
    return succeeded === true ? { owner, claim: header.revision } : undefined;
  }

  async step(
    { owner, claim }: Claim,
    settled: Settled | undefined,
    passOver: readonly number[],
    limit: number,
  ): Promise<Step> {
    const isOurs = { key: this.#keeper(owner), target: "CREATE", create_revision: claim };
    const { succeeded, responses } = await this.#txn(limit, {
      compare: [isOurs],
      success: [
        {
          request_range: {
            key: base64(`${this.#prefix}r/${owner}/`),
            range_end: base64(`${this.#prefix}r/${owner}0`),
            sort_order: "DESCEND",
            sort_target: "KEY",
            limit: String(passOver.length + 2),
          },
        },
        ...(settled === undefined ? [] : this.#settling(owner, settled)),
      ],
    });
    if (succeeded !== true) return "lost";
    const isDone = settled !== undefined && settled.outcome !== "failed";
    const left = rangeOf(responses, 0).filter((one) => !isDone || this.#seqIn(one) !== settled.seq);
    const next = left.find((one) => !passOver.includes(this.#seqIn(one)));
    if (next !== undefined) return this.#hand(owner, next, settled);
    if (left.length > 0) return "wait";
    await this.#txn(limit, {
      compare: [isOurs],
      success: [this.#suspect(owner), this.#keeper(owner)].map((key) => ({ request_delete_range: { key } })),
    });
    return "over";
  }

  #settling(owner: string, { seq, outcome, error }: Settled): object[] {
    const key = this.#recipe(owner, seq);
    const remove = { request_delete_range: { key } };
    const stored = this.#handed.get(key);
    if (outcome === "done" || stored === undefined) return [remove];
    const again = { ...stored, tries: stored.tries + 1, error: error?.slice(0, LONGEST_ERROR) };
    if (outcome === "failed") return [put(key, again)];
    return [remove, put(this.#deadLetter(owner, seq), again)];
  }

  /** What the range of a step gives is from before what the step has settled. */
  #hand(owner: string, one: KeyValue, settled: Settled | undefined): DueRecipe {
    const seq = this.#seqIn(one);
    const stored = JSON.parse(fromBase64(one.value)) as StoredRecipe;
    const tries = stored.tries + (settled?.seq === seq ? 1 : 0);
    this.#handed.set(this.#recipe(owner, seq), { ...stored, tries });
    const { action, args, signature } = stored;
    return { seq, action, args, signature, planter: undefined, tries };
  }

  async #count(limit: number): Promise<number> {
    const { id } = this.#owner;
    const range = { key: base64(`${this.#prefix}r/${id}/`), range_end: base64(`${this.#prefix}r/${id}0`) };
    const { count = "0" } = await this.#gateway.call<Range>("kv/range", { ...range, count_only: true }, limit);
    return Number(count);
  }

  #txn(limit: number, txn: object): Promise<TxnAnswer> {
    return this.#gateway.call<TxnAnswer>("kv/txn", txn, limit);
  }

  #lives(lease: string): object {
    return { key: this.#session(lease), target: "CREATE", result: "GREATER", create_revision: "0" };
  }

  #session = (lease: string) => base64(`${this.#prefix}s/${lease}`);
  #suspect = (owner: string) => base64(`${this.#prefix}q/${owner}`);
  #keeper = (owner: string) => base64(`${this.#prefix}k/${owner}`);
  #recipe = (owner: string, seq: number) => base64(`${this.#prefix}r/${owner}/${inOrder(seq)}`);
  #deadLetter = (owner: string, seq: number) => base64(`${this.#prefix}d/${owner}/${inOrder(seq)}`);

  /** What stands in a key after its prefix and letter. */
  #nameIn({ key }: KeyValue): string {
    return fromBase64(key).slice(this.#prefix.length + 2);
  }

  #seqIn(one: KeyValue): number {
    return Number(this.#nameIn(one).split("/")[1]);
  }
}

/** Stands where a recipe must not be planted any more. */
const SETTLED = '"settled"';

/** The number of an owner's lease: 60 bits of its UUID, so that it is known before it is granted. */
export function leaseOf(id: string): string {
  return String(BigInt(`0x${id.replaceAll("-", "").slice(0, 15)}`) + 1n);
}

/** How long etcd may take to see that an owner is silent, in milliseconds: it counts in whole seconds, of two at least, and looks each half second. */
function etcdTtl(ttl: number): number {
  return Math.max(2_000, Math.ceil(ttl / 1_000) * 1_000) + 1_000;
}

/** Numbers of ten digits sort as texts. */
function inOrder(seq: number): string {
  return String(seq).padStart(10, "0");
}

function put(key: string, value: object): object {
  return { request_put: { key, value: base64(JSON.stringify(value)) } };
}

function rangeOf(responses: TxnAnswer["responses"], at: number): readonly KeyValue[] {
  return responses?.[at]?.response_range?.kvs ?? [];
}
