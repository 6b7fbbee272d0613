// What a guard calls in a process of its own when its owner was killed: revokes the
// owner's lease of etcd's. It has the environment that the owner had, and finds the
// endpoints there.

import { persist } from "../lease/persist.ts";
import { process } from "../platform/process.ts";
import { revoke } from "./adapter.ts";
import { endpointsIn, Gateway } from "./gateway.ts";

/** What stands in the journal: the name of a variable, and no address. */
export interface GiveBackArguments {
  readonly env: string;
  readonly lease: string;
}

/** How long one member may take, in milliseconds. */
const LIMIT = 2_000;

export async function giveBack({ env, lease }: GiveBackArguments): Promise<void> {
  const endpoints = endpointsIn(process.env[env]);
  const gateway = new Gateway({ endpoints, fetch, headers: {} });
  // A later start, which is not given the owner's environment: the leases are free by time.
  if (endpoints.length > 0) await persist(() => revoke(gateway, lease, LIMIT));
}
