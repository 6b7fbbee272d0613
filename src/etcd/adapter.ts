// One owner in etcd: a lease of etcd's, to which its keys are bound.
//
//   PREFIX/s/<lease>   the owner; its mod_revision is the epoch
//   PREFIX/l/<name>    who has the lease; its create_revision is the token
//
// An owner is dead when its key is gone. It cannot come back: a key that is made
// anew has another revision than any request of the old one names. etcd's lessor
// goes by its leader's monotonic clock, and a new leader starts every lease anew:
// later, never earlier. So a holder's silence need not be observed.

import type { Adapter, Answer, Asked } from "../lease/adapter.ts";
import type { OwnerRecord } from "../lease/engine.ts";
import { timeOfDay } from "../platform/node-builtins.ts";
import { EtcdRecipes, leaseOf } from "./recipes.ts";
import { base64, EtcdError, fromBase64, type Gateway } from "./gateway.ts";

interface KeyValue {
  readonly value: string;
  readonly mod_revision: string;
  readonly create_revision: string;
  readonly lease?: string;
}

interface Range {
  readonly kvs?: readonly KeyValue[];
}

interface TxnAnswer {
  readonly header: { readonly revision: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: Range }[];
}

/** What the holder of a lease has written into its key. */
export interface Value {
  readonly who: OwnerRecord["who"];
  readonly since: string;
  readonly data?: unknown;
}

/** FAILED_PRECONDITION, with which a grant answers that there is such a lease; NOT_FOUND, that there is none. */
const EXISTS = 9;
const NOT_FOUND = 5;

export class EtcdAdapter implements Adapter {
  readonly #gateway: Gateway;
  readonly #owner: OwnerRecord;
  readonly #prefix: string;
  readonly #lease: string;
  readonly recipes: EtcdRecipes;
  #epoch = "0";

  constructor(gateway: Gateway, owner: OwnerRecord, prefix: string) {
    this.#gateway = gateway;
    this.#owner = owner;
    this.#prefix = prefix;
    this.#lease = leaseOf(owner.id);
    this.recipes = new EtcdRecipes(gateway, owner, this.#lease, prefix);
  }

  async begin(limit: number): Promise<number | "dead"> {
    const granted = await this.#grant(limit);
    if (granted === "dead") return granted;
    const { header, succeeded, responses } = await this.#txn(limit, {
      compare: [{ key: this.#own, target: "CREATE", create_revision: "0" }],
      success: [
        { request_put: { key: this.#own, value: base64(JSON.stringify(this.#owner.who)), lease: this.#lease } },
      ],
      failure: [{ request_range: { key: this.#own } }],
    });
    const known = firstOf(responses, 0)?.mod_revision;
    this.#epoch = succeeded === true || known === undefined ? header.revision : known;
    return granted;
  }

  async #grant(limit: number): Promise<number | "dead"> {
    try {
      const asked = { ID: this.#lease, TTL: String(Math.ceil(this.#owner.ttl / 1_000)) };
      const { TTL } = await this.#gateway.call<{ TTL: string }>("lease/grant", asked, limit);
      return Number(TTL) * 1_000;
    } catch (error) {
      if (error instanceof EtcdError && error.grpc === EXISTS) return this.beat(limit);
      throw error;
    }
  }

  async beat(limit: number): Promise<number | "dead"> {
    const { TTL = "0" } = await this.#gateway.call<{ TTL?: string }>("lease/keepalive", { ID: this.#lease }, limit);
    return Number(TTL) <= 0 ? "dead" : Number(TTL) * 1_000;
  }

  async acquire({ name, data }: Asked, limit: number): Promise<Answer> {
    const key = this.#key(name);
    const value: Value = {
      who: this.#owner.who,
      since: new Date(timeOfDay()).toISOString(),
      ...(data === undefined ? {} : { data }),
    };
    const { header, succeeded, responses } = await this.#txn(limit, {
      compare: [
        { key, target: "CREATE", create_revision: "0" },
        { key: this.#own, target: "MOD", mod_revision: this.#epoch },
      ],
      success: [{ request_put: { key, value: base64(JSON.stringify(value)), lease: this.#lease } }],
      failure: [{ request_range: { key } }, { request_range: { key: this.#own } }],
    });
    if (succeeded === true) return { token: BigInt(header.revision) };
    if (firstOf(responses, 1) === undefined) return "dead";
    const held = firstOf(responses, 0);
    if (held === undefined || held.lease === this.#lease) return "refused";
    return heldBy(held);
  }

  async cancel(name: string, limit: number): Promise<boolean> {
    const key = this.#key(name);
    const { header, succeeded, responses } = await this.#txn(limit, {
      compare: [{ key: this.#own, target: "MOD", mod_revision: this.#epoch }],
      success: [
        { request_put: { key: this.#own, value: base64(JSON.stringify(this.#owner.who)), lease: this.#lease } },
        {
          request_txn: {
            compare: [{ key, target: "LEASE", lease: this.#lease }],
            success: [{ request_delete_range: { key } }],
          },
        },
      ],
      failure: [{ request_range: { key: this.#own } }],
    });
    if (succeeded === true) {
      this.#raise(header.revision);
      return true;
    }
    const own = firstOf(responses, 0);
    if (own === undefined) return true; // with the owner its leases are gone
    this.#raise(own.mod_revision);
    return false;
  }

  async release(name: string, token: bigint, limit: number): Promise<void> {
    const key = this.#key(name);
    await this.#txn(limit, {
      compare: [{ key, target: "CREATE", create_revision: String(token) }],
      success: [{ request_delete_range: { key } }],
    });
  }

  async finish(limit: number): Promise<void> {
    await revoke(this.#gateway, this.#lease, limit);
    await this.recipes.finished(limit);
  }

  watch(name: string, changed: () => void): () => void {
    const stop = new AbortController();
    const asked = { create_request: { key: this.#key(name), filters: ["NOPUT"] } };
    this.#gateway.stream("watch", asked, stop.signal, changed).catch(() => {}); // a hint: those who wait look all the same
    return () => stop.abort();
  }

  #raise(revision: string): void {
    if (BigInt(revision) > BigInt(this.#epoch)) this.#epoch = revision;
  }

  #txn(limit: number, txn: object): Promise<TxnAnswer> {
    return this.#gateway.call<TxnAnswer>("kv/txn", txn, limit);
  }

  get #own(): string {
    return base64(`${this.#prefix}s/${this.#lease}`);
  }

  #key(name: string): string {
    return base64(`${this.#prefix}l/${name}`);
  }
}

/** Gives all keys of an owner back. That they are gone already is no error. */
export async function revoke(gateway: Gateway, lease: string, limit: number): Promise<void> {
  try {
    await gateway.call("lease/revoke", { ID: lease }, limit);
  } catch (error) {
    if (!(error instanceof EtcdError) || error.grpc !== NOT_FOUND) throw error;
  }
}

function firstOf(responses: TxnAnswer["responses"], at: number): KeyValue | undefined {
  return responses?.[at]?.response_range?.kvs?.[0];
}

function heldBy({ value, create_revision }: KeyValue): Answer {
  const { who, since, data } = JSON.parse(fromBase64(value)) as Value;
  return {
    holder: { host: who.host, pid: who.pid, program: who.program, since: new Date(since), data },
    freeIn: undefined,
    mark: create_revision,
    ttl: Number.POSITIVE_INFINITY, // its silence is etcd's to see
  };
}
