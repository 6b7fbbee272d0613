// Who holds which lease in etcd.

import type { Value } from "./adapter.ts";
import { base64, fromBase64, type Gateway } from "./gateway.ts";

export interface LeaseRow {
  readonly name: string;
  readonly token: string;
  readonly since: string;
  readonly who: Value["who"];
  readonly data: unknown;
}

/** How long a member may take, in milliseconds. */
const LIMIT = 5_000;

export async function rowsIn(gateway: Gateway, prefix: string): Promise<LeaseRow[]> {
  const start = `${prefix}l/`;
  // All keys that begin so: up to the one that follows "/", which is "0".
  const range = { key: base64(start), range_end: base64(`${prefix}l0`) };
  const { kvs = [] } = await gateway.call<{ kvs?: { key: string; value: string; create_revision: string }[] }>(
    "kv/range",
    range,
    LIMIT,
  );
  return kvs.map(({ key, value, create_revision: token }) => {
    const { who, since, data } = JSON.parse(fromBase64(value)) as Value;
    return { name: fromBase64(key).slice(start.length), token, since, who, data };
  });
}
