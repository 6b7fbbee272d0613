// What is used of the official client (`CoordinationV1Api` of @kubernetes/client-node),
// by its shape. Types only.
// Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/

/** A Lease object, as far as it is used. */
export interface LeaseObject {
  apiVersion?: string;
  kind?: string;
  metadata?: {
    name?: string;
    namespace?: string;
    /** Changes with every update; one that names an older one is refused with 409. */
    resourceVersion?: string;
    annotations?: Record<string, string>;
  };
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    leaseTransitions?: number;
    acquireTime?: Date;
    renewTime?: Date;
  };
}

/** The three calls that are used. They reject with an error whose `code` is the HTTP status. */
export interface LeaseApi {
  readNamespacedLease(asked: { name: string; namespace: string }): Promise<LeaseObject>;
  createNamespacedLease(asked: { namespace: string; body: LeaseObject }): Promise<LeaseObject>;
  replaceNamespacedLease(asked: { name: string; namespace: string; body: LeaseObject }): Promise<LeaseObject>;
}
