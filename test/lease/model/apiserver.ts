// An apiserver of Kubernetes, as far as Lease objects go: optimistic concurrency,
// and one number for all versions. A stand-in: it is not a cluster.

import type { Adapter } from "../../../src/lease/adapter.ts";
import { KubernetesAdapter } from "../../../src/kubernetes/adapter.ts";
import type { LeaseApi, LeaseObject } from "../../../src/kubernetes/api.ts";
import { type Network, sendOver, type TestedEngine } from "./network.ts";
import type { ModelProcess, World } from "./world.ts";

let owners = 0;

export class ModelApiserver implements TestedEngine {
  readonly world: World;
  readonly isOwnerEach = true;
  awayUntil = 0;
  clockOffset = 0;
  granted: (name: string, token: bigint) => void = () => {};
  readonly #objects = new Map<string, LeaseObject>();
  readonly #checksVersions: boolean;
  #version = 0;

  constructor(world: World, checksVersions = true) {
    this.world = world;
    this.#checksVersions = checksVersions;
  }

  connect(process: ModelProcess, network: Network, ttl: number): Adapter {
    const send = <T>(work: () => T) => sendOver(network, this, process, ttl, work, true);
    const api: LeaseApi = {
      readNamespacedLease: ({ name }) => send(() => this.#read(name)),
      createNamespacedLease: ({ body }) => send(() => this.#write(body, undefined)),
      replaceNamespacedLease: ({ name, body }) => send(() => this.#write(body, this.#read(name))),
    };
    const who = { host: "model", pid: 1, program: "model", since: "" };
    return new KubernetesAdapter(api, { id: `owner ${(owners += 1)}`, ttl, who }, "default");
  }

  #read(name: string): LeaseObject {
    const object = this.#objects.get(name);
    if (object === undefined) throw failure(404);
    return structuredClone(object);
  }

  #write(body: LeaseObject, old: LeaseObject | undefined): LeaseObject {
    const name = body.metadata?.name as string;
    if (old === undefined && this.#objects.has(name)) throw failure(409);
    if (this.#checksVersions && old?.metadata?.resourceVersion !== body.metadata?.resourceVersion) throw failure(409);
    const version = String((this.#version += 1));
    const object = structuredClone({ ...body, metadata: { ...body.metadata, resourceVersion: version } });
    this.#objects.set(name, object);
    const holder = object.spec?.holderIdentity ?? "";
    if (holder !== "" && holder !== (old?.spec?.holderIdentity ?? "")) this.granted(name, BigInt(version));
    return structuredClone(object);
  }
}

function failure(code: number): Error {
  return Object.assign(new Error(`HTTP ${code}`), { code });
}
