// Recipes and dead letters in etcd, for the command.

import { base64, fromBase64, type Gateway } from "./gateway.ts";
import { leaseOf, type StoredRecipe } from "./recipes.ts";

export interface RecipeRow {
  /** The owner's number and the recipe's among its own. */
  readonly id: string;
  readonly action: string;
  readonly args: string;
  readonly isDeadLetter: boolean;
  readonly isOwnerDead: boolean;
  readonly isKept: boolean;
  readonly tries: number;
  readonly error: string | undefined;
  readonly plantedAt: string;
  readonly who: StoredRecipe["who"];
}

interface KeyValue {
  readonly key: string;
  readonly value?: string;
}

/** How long a member may take, in milliseconds. */
const LIMIT = 5_000;

export async function recipesIn(gateway: Gateway, prefix: string): Promise<RecipeRow[]> {
  const all = async (letter: string) => {
    const range = { key: base64(`${prefix}${letter}/`), range_end: base64(`${prefix}${letter}0`) };
    const { kvs = [] } = await gateway.call<{ kvs?: KeyValue[] }>("kv/range", range, LIMIT);
    return kvs.map(({ key, value = "" }) => ({
      name: fromBase64(key).slice(prefix.length + 2),
      text: fromBase64(value),
    }));
  };
  const living = new Set((await all("s")).map(({ name }) => name));
  const kept = new Set((await all("k")).map(({ name }) => name));
  const rows = async (letter: "r" | "d") =>
    (await all(letter)).flatMap(({ name, text }): RecipeRow[] => {
      const stored = JSON.parse(text) as StoredRecipe | "settled";
      if (stored === "settled") return [];
      const [owner = "", seq = ""] = name.split("/");
      const { action, args, tries, error, plantedAt, who } = stored;
      const [isDeadLetter, isOwnerDead, isKept] = [letter === "d", !living.has(leaseOf(owner)), kept.has(owner)];
      return [
        {
          id: `${owner}/${Number(seq)}`,
          action,
          args,
          isDeadLetter,
          isOwnerDead,
          isKept,
          tries,
          error,
          plantedAt,
          who,
        },
      ];
    });
  return [...(await rows("r")), ...(await rows("d"))];
}

/** Has a dead letter tried again, or forgets it. @returns whether there was one */
export async function settleDeadLetter(
  gateway: Gateway,
  prefix: string,
  id: string,
  isRetry: boolean,
): Promise<boolean> {
  const [owner = "", seq = ""] = id.split("/");
  const name = `${owner}/${seq.padStart(10, "0")}`;
  const key = base64(`${prefix}d/${name}`);
  const { kvs = [] } = await gateway.call<{ kvs?: { value: string; mod_revision: string }[] }>(
    "kv/range",
    { key },
    LIMIT,
  );
  const [found] = kvs;
  if (found === undefined) return false;
  const stored = JSON.parse(fromBase64(found.value)) as StoredRecipe;
  const put = (to: string, value: object) => ({
    request_put: { key: base64(`${prefix}${to}`), value: base64(JSON.stringify(value)) },
  });
  const again = [put(`r/${name}`, { ...stored, tries: 0 }), put(`q/${owner}`, { who: stored.who, ttl: 0 })];
  const { succeeded } = await gateway.call<{ succeeded?: boolean }>(
    "kv/txn",
    {
      compare: [{ key, target: "MOD", mod_revision: found.mod_revision }],
      success: [{ request_delete_range: { key } }, ...(isRetry ? again : [])],
    },
    LIMIT,
  );
  return succeeded === true;
}
