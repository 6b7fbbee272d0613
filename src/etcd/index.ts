// The public API of `atexit/etcd`: leases in etcd, by its JSON gateway. It takes no
// client.

import { blameCaller } from "../errors/define-errors.ts";
import { resourceError } from "../errors/resources.ts";
import { type Engine, type EngineOptions, forEngines } from "../lease/index.ts";
import { packageFile } from "../platform/package-files.ts";
import { process } from "../platform/process.ts";
import { EtcdAdapter } from "./adapter.ts";
import type { GiveBackArguments } from "./give-back.ts";
import { rowsIn, type LeaseRow } from "./list.ts";
import { endpointsIn, Gateway } from "./gateway.ts";
import { type RecipeRow, recipesIn, settleDeadLetter } from "./list-recipes.ts";

export type { Engine, EngineOptions };

/** Options of leases in etcd, beside those of every engine. */
export interface EtcdOptions extends EngineOptions {
  /** What its keys begin with; "atexit/" by default. All contenders name the same. */
  prefix?: string;
  /** Sent with each request, such as an `authorization`. */
  headers?: Readonly<Record<string, string>>;
  /** A `fetch` of the program's own, for TLS with a client certificate. */
  fetch?: typeof fetch;
  /**
   * The environment variable that has the endpoints, separated by commas. With it the
   * guard gives back what a killed process held, where that takes neither headers nor
   * a `fetch` of its own.
   */
  env?: string;
}

/**
 * Leases in etcd 3.4 or newer. One of them is one owner: make one for a process.
 * etcd counts in whole seconds, and grants no ttl shorter than about two.
 *
 * @param endpoints the members' addresses, such as "http://127.0.0.1:2379"; where one does not answer, the next is asked
 * @param options times in milliseconds
 * @throws a `TypeError` with the code `ERR_ATEXIT_OPTION`; a `RangeError` with the code `ERR_ATEXIT_TIME`
 * @example
 * ```ts
 * import { etcd } from "atexit/etcd";
 *
 * const engine = etcd(process.env.ETCD_ENDPOINTS.split(","), { env: "ETCD_ENDPOINTS" });
 * ```
 */
export function etcd(endpoints: readonly string[], options: EtcdOptions = {}): Engine {
  return blameCaller(etcd, () => {
    const { prefix = "atexit/", headers = {}, env } = options;
    if (!Array.isArray(endpoints) || endpoints.length === 0 || !endpoints.every((one) => URL.canParse(String(one)))) {
      throw resourceError(
        "ERR_ATEXIT_OPTION",
        "The endpoints",
        endpoints,
        'an array such as ["http://127.0.0.1:2379"]',
      );
    }
    const gateway = new Gateway({ endpoints, fetch: options.fetch ?? fetch, headers });
    const canGiveBack = env !== undefined && endpointsIn(process.env[env]).length > 0;
    return forEngines.make(
      {
        name: "etcd",
        connect: (owner) => new EtcdAdapter(gateway, owner, prefix),
        giveBack: ({ id }) => {
          if (!canGiveBack) return undefined;
          const args: GiveBackArguments = { env, prefix, owner: id };
          return { module: packageFile("give back to etcd"), exportName: "giveBack", args: [{ ...args }] };
        },
        carryOut: ({ id }, modules) => {
          if (!canGiveBack) return undefined;
          const args = { env, prefix, owner: id, modules: [...modules] };
          return { module: packageFile("give back to etcd"), exportName: "carryOut", args: [args] };
        },
      },
      options,
    );
  });
}

/**
 * Lists who holds what, for the command.
 *
 * @internal
 */
export function listLeases(endpoints: readonly string[], prefix = "atexit/"): Promise<LeaseRow[]> {
  return rowsIn(new Gateway({ endpoints, fetch, headers: {} }), prefix);
}

/**
 * Lists recipes and dead letters, for the command.
 *
 * @internal
 */
export function listRecipes(endpoints: readonly string[], prefix = "atexit/"): Promise<RecipeRow[]> {
  return recipesIn(new Gateway({ endpoints, fetch, headers: {} }), prefix);
}

/**
 * Has a dead letter tried again, or forgets it, for the command.
 *
 * @internal
 */
export function settleLetter(endpoints: readonly string[], id: string, isRetry: boolean): Promise<boolean> {
  return settleDeadLetter(new Gateway({ endpoints, fetch, headers: {} }), "atexit/", id, isRetry);
}
