// What a guard calls in a process of its own when its owner was killed: revokes the
// owner's lease of etcd's, and carries out what it has planted. It has the
// environment that the owner had, and finds the endpoints there.

import { carryOutAfter } from "../keeper/guard-run.ts";
import { persist } from "../lease/persist.ts";
import { builtin } from "../platform/node-builtins.ts";
import { process } from "../platform/process.ts";
import { EtcdAdapter, revoke } from "./adapter.ts";
import { endpointsIn, Gateway } from "./gateway.ts";
import { leaseOf } from "./recipes.ts";

/** What stands in the journal: the name of a variable, and no address. */
export interface GiveBackArguments {
  readonly env: string;
  readonly prefix: string;
  readonly owner: string;
}

interface CarryOutArguments extends GiveBackArguments {
  /** Where the actions are: file: URLs. */
  readonly modules: readonly string[];
}

/** How long one member may take, in milliseconds. */
const LIMIT = 2_000;
/** How long a keeper waits for this process, where it dies, in milliseconds. */
const TTL = 15_000;

export async function giveBack({ env, owner }: GiveBackArguments): Promise<void> {
  const gateway = gatewayIn(env);
  if (gateway !== undefined) await persist(() => revoke(gateway, leaseOf(owner), LIMIT));
}

export async function carryOut({ env, prefix, owner, modules }: CarryOutArguments): Promise<void> {
  const gateway = gatewayIn(env);
  if (gateway === undefined) return;
  await persist(() => revoke(gateway, leaseOf(owner), LIMIT));
  const who = { host: builtin("os").hostname(), pid: process.pid, program: "a guard", since: new Date().toISOString() };
  const adapter = new EtcdAdapter(gateway, { id: crypto.randomUUID(), ttl: TTL, who }, prefix);
  await carryOutAfter(owner, adapter, modules);
}

/** Returns nothing in a later start, which is not given the owner's environment: the leases are free by time. */
function gatewayIn(env: string): Gateway | undefined {
  const endpoints = endpointsIn(process.env[env]);
  return endpoints.length === 0 ? undefined : new Gateway({ endpoints, fetch, headers: {} });
}
