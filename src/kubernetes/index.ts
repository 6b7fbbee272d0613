// The public API of `atexit/kubernetes`: leases as Lease objects. Not run on a
// cluster so far: its tests have an apiserver in their place.

import { blameCaller } from "../errors/define-errors.ts";
import { resourceError } from "../errors/resources.ts";
import { type Engine, type EngineOptions, forEngines } from "../lease/index.ts";
import { KubernetesAdapter } from "./adapter.ts";
import type { LeaseApi, LeaseObject } from "./api.ts";

export type { Engine, EngineOptions, LeaseApi, LeaseObject };

/**
 * Leases as Lease objects of a Kubernetes cluster. **Not run on a cluster so far.**
 *
 * Here each lease has a heartbeat of its own, three requests a ttl: tens of them,
 * not thousands. A holder is gone when it was seen to stand still for its ttl, since
 * no clock there can be believed: a newcomer waits for up to two. Tokens are
 * resource versions, which can be compared as numbers. Nothing is given back by the
 * guard. A name is that of an object: lower-case letters, digits, dashes and dots.
 *
 * Where things belong to a Pod and are to go with it, no lease is needed: give them
 * `ownerReferences`.
 *
 * @param api a `CoordinationV1Api` of @kubernetes/client-node 1.0 or newer
 * @param options the namespace, `default` by default; times in milliseconds
 * @throws a `TypeError` with the code `ERR_ATEXIT_OPTION`; a `RangeError` with the code `ERR_ATEXIT_TIME`
 * @example
 * ```ts
 * import { kubernetes } from "atexit/kubernetes";
 * import { CoordinationV1Api, KubeConfig } from "@kubernetes/client-node";
 *
 * const config = new KubeConfig();
 * config.loadFromDefault();
 * const engine = kubernetes(config.makeApiClient(CoordinationV1Api), { namespace: "jobs" });
 * ```
 */
export function kubernetes(api: LeaseApi, options: EngineOptions & { namespace?: string } = {}): Engine {
  return blameCaller(kubernetes, () => {
    if (typeof (api as Partial<LeaseApi> | undefined)?.replaceNamespacedLease !== "function") {
      throw resourceError("ERR_ATEXIT_OPTION", "The api", api, "a CoordinationV1Api of @kubernetes/client-node");
    }
    const { namespace = "default" } = options;
    const connect = (owner: ConstructorParameters<typeof KubernetesAdapter>[1]) =>
      new KubernetesAdapter(api, owner, namespace);
    return forEngines.make({ name: "Kubernetes", connect, isOwnerEach: true }, options);
  });
}
