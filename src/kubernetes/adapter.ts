// One lease in Kubernetes: a Lease object, with a holder of its own for each turn.
//
// The apiserver has optimistic concurrency and no clock that counts: renewTime is
// written by clients. So a holder counts as gone only when it was seen to stand still.
// What was sent before an update is refused after it, since it names an older
// resourceVersion: to cancel is to update.

import { leaseError, type LeaseHolder } from "../errors/lease.ts";
import type { Adapter, Answer, Asked } from "../lease/adapter.ts";
import type { OwnerRecord } from "../lease/engine.ts";
import { timeOfDay } from "../platform/node-builtins.ts";
import type { LeaseApi, LeaseObject } from "./api.ts";

/** Where the object says more than its spec has room for. */
const WHO = "atexit/who";
const DATA = "atexit/data";
const BEAT = "atexit/beat";
const TOUCHED = "atexit/touched";

export class KubernetesAdapter implements Adapter {
  readonly #api: LeaseApi;
  readonly #owner: OwnerRecord;
  readonly #namespace: string;
  /** The object as this turn has it, from its acquisition on. */
  #name: string | undefined;
  #data: Asked["data"];
  #token = 0n;
  /** How often something was asked for: what was asked before is given up, and sends nothing more. */
  #calls = 0;
  #beats = 0;
  /** What was asked for without a certain answer. */
  #unsure: string | undefined;

  constructor(api: LeaseApi, owner: OwnerRecord, namespace: string) {
    this.#api = api;
    this.#owner = owner;
    this.#namespace = namespace;
  }

  /** An owner is known by its lease alone. */
  async begin(): Promise<number> {
    return this.#ttl;
  }

  async beat(): Promise<number | "dead"> {
    const name = this.#name;
    // The object may say already that it is this owner's, and others count from then on.
    if (this.#unsure !== undefined) throw new Error("it is not known yet whether the lease was taken");
    if (name === undefined) return this.#ttl;
    const beat = (this.#beats += 1);
    for (;;) {
      const object = await this.#read(name);
      if (this.#name !== name || beat !== this.#beats) return this.#ttl; // released meanwhile
      if (object?.spec?.holderIdentity !== this.#owner.id) return "dead";
      if ((await this.#write(name, object, this.#held(object))) !== undefined) return this.#ttl;
    }
  }

  async acquire({ name, data, stoodStill }: Asked): Promise<Answer> {
    const call = (this.#calls += 1);
    this.#data = data;
    this.#unsure = name;
    const answer = await this.#tryToAcquire(call, name, stoodStill);
    this.#unsure = undefined;
    return answer;
  }

  async #tryToAcquire(call: number, name: string, stoodStill: string | undefined): Promise<Answer> {
    for (;;) {
      const object = await this.#read(name);
      if (call !== this.#calls) throw new Error("it was given up");
      const holder = object?.spec?.holderIdentity ?? "";
      if (holder === this.#owner.id) return "refused";
      if (object !== undefined && holder !== "" && markOf(object) !== stoodStill) {
        return { holder: holderIn(object), freeIn: undefined, mark: markOf(object), ttl: ttlOf(object) };
      }
      const taken = await this.#write(name, object, this.#held(object));
      if (taken === undefined) continue; // somebody else was first, or is alive
      this.#name = name;
      this.#token = BigInt(taken.metadata?.resourceVersion ?? "0");
      return { token: this.#token };
    }
  }

  async cancel(name: string): Promise<boolean> {
    return this.#update(name, () => true);
  }

  async release(name: string, token: bigint): Promise<void> {
    if (token !== this.#token) return;
    await this.#update(name, (object) => object?.spec?.holderIdentity === this.#owner.id);
  }

  async finish(): Promise<void> {
    if (this.#name !== undefined) await this.release(this.#name, this.#token);
    else if (this.#unsure !== undefined) await this.cancel(this.#unsure);
  }

  /** Updates the object so that it is not this owner's, and that nothing sent before counts; where `isNeeded` says so. */
  async #update(name: string, isNeeded: (object: LeaseObject | undefined) => boolean): Promise<boolean> {
    const call = (this.#calls += 1);
    this.#name = undefined;
    for (;;) {
      const object = await this.#read(name);
      if (call !== this.#calls) throw new Error("it was given up");
      if (!isNeeded(object)) return true;
      const spec = { ...object?.spec };
      if (spec.holderIdentity === this.#owner.id) delete spec.holderIdentity;
      const annotations = { ...object?.metadata?.annotations, [TOUCHED]: crypto.randomUUID() };
      if ((await this.#write(name, object, { spec, annotations })) === undefined) continue;
      this.#unsure = undefined;
      return true;
    }
  }

  /** What the object is to say while this owner has it. */
  #held(object: LeaseObject | undefined): Content {
    const { spec, metadata: { annotations } = {} } = object ?? {};
    const isOwn = spec?.holderIdentity === this.#owner.id;
    const now = new Date(timeOfDay());
    const said: Record<string, string> = { ...annotations, [WHO]: JSON.stringify(this.#owner.who) };
    said[BEAT] = String(Number(annotations?.[BEAT] ?? 0) + 1);
    if (this.#data === undefined) delete said[DATA];
    else said[DATA] = JSON.stringify(this.#data);
    return {
      annotations: said,
      spec: {
        holderIdentity: this.#owner.id,
        leaseDurationSeconds: this.#ttl / 1_000,
        leaseTransitions: (spec?.leaseTransitions ?? 0) + (isOwn ? 0 : 1),
        acquireTime: isOwn ? (spec.acquireTime ?? now) : now,
        renewTime: now,
      },
    };
  }

  get #ttl(): number {
    return Math.ceil(this.#owner.ttl / 1_000) * 1_000;
  }

  async #read(name: string): Promise<LeaseObject | undefined> {
    try {
      return await this.#api.readNamespacedLease({ name, namespace: this.#namespace });
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw toldWell(error);
    }
  }

  /** Returns the object as it is now; `undefined` where somebody has changed it meanwhile. */
  async #write(
    name: string,
    old: LeaseObject | undefined,
    { spec, annotations }: Content,
  ): Promise<LeaseObject | undefined> {
    const namespace = this.#namespace;
    const metadata = { ...old?.metadata, name, namespace, annotations };
    const body: LeaseObject = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    try {
      return await (old === undefined
        ? this.#api.createNamespacedLease({ namespace, body })
        : this.#api.replaceNamespacedLease({ name, namespace, body }));
    } catch (error) {
      const status = statusOf(error);
      if (status === 409 || (status === 404 && old !== undefined)) return undefined;
      throw toldWell(error);
    }
  }
}

interface Content {
  readonly spec: NonNullable<LeaseObject["spec"]>;
  readonly annotations: Record<string, string>;
}

function markOf({ spec, metadata }: LeaseObject): string {
  return `${spec?.holderIdentity}/${metadata?.annotations?.[BEAT]}/${Number(spec?.renewTime)}`;
}

function ttlOf({ spec }: LeaseObject): number {
  return (spec?.leaseDurationSeconds ?? 15) * 1_000;
}

/** Others may hold the object as well, as client-go does: then it says less. */
function holderIn({ spec, metadata }: LeaseObject): LeaseHolder {
  const { [WHO]: who = "{}", [DATA]: data } = metadata?.annotations ?? {};
  const { host, pid, program } = JSON.parse(who) as Partial<OwnerRecord["who"]>;
  return {
    host,
    pid,
    program: program ?? spec?.holderIdentity,
    since: spec?.acquireTime,
    data: data === undefined ? undefined : (JSON.parse(data) as unknown),
  };
}

function statusOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

/** Some errors stay what they are, however often one asks. */
function toldWell(error: unknown): unknown {
  const status = statusOf(error);
  if (status !== 401 && status !== 403 && status !== 422) return error;
  const advice = "It takes leave to get, create and update leases of coordination.k8s.io, and a name such as my-app.";
  const told = leaseError("ERR_ATEXIT_ENGINE", "Kubernetes", (error as Error).message, advice);
  return Object.assign(told, { cause: error, isPermanent: true });
}
