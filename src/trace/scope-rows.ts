// The cleanups of a scope as one row, with its cleanups beneath it. A scope is a group of
// registrations, of which a trace knows the names alone: `tests: database dropped`.

import type { Row } from "./shutdown-history.ts";

const MARK = ": ";

/**
 * Puts a row in front of each scope whose cleanups began one after the other, with no
 * other cleanup between them; one with a single cleanup stays as it is.
 *
 * @param rows in the order in which they began
 */
export function inScopes(rows: readonly Row[]): Row[] {
  const shown: Row[] = [];
  for (let from = 0; from < rows.length;) {
    const first = rows[from] as Row;
    let to = from + 1;
    while (to < rows.length && isOfSameScope(first, rows[to] as Row)) to += 1;
    const members = rows.slice(from, to);
    if (members.length === 1) shown.push(first);
    else shown.push(scopeOf(members), ...inScopes(members.map(inner)).map(nested));
    from = to;
  }
  return shown;
}

function scopeNameOf({ name }: Row): string | undefined {
  const end = name.indexOf(MARK);
  return end > 0 ? name.slice(0, end) : undefined;
}

function isOfSameScope(first: Row, other: Row): boolean {
  const scope = scopeNameOf(first);
  const haveBegun = first.startedAt !== undefined && other.startedAt !== undefined;
  return haveBegun && scope !== undefined && scope === scopeNameOf(other) && first.within === other.within;
}

/** It takes from its first cleanup's beginning to its last one's end, and went as the first that did not go well. */
function scopeOf(members: readonly Row[]): Row {
  const [first] = members as [Row];
  const ends = members.map(({ endedAt }) => endedAt);
  const endedAt = ends.includes(undefined) ? undefined : Math.max(...(ends as number[]));
  return {
    name: scopeNameOf(first) as string,
    ...(first.within === undefined ? {} : { within: first.within }),
    startedAt: first.startedAt as number,
    ...(endedAt === undefined ? {} : { endedAt }),
    outcome: members.find(({ outcome }) => outcome !== "ok")?.outcome ?? "ok",
  };
}

function inner(row: Row): Row {
  return { ...row, name: row.name.slice(row.name.indexOf(MARK) + MARK.length) };
}

function nested(row: Row): Row {
  return { ...row, name: row.name.startsWith(BRANCH) ? `  ${row.name}` : `${BRANCH}${row.name}` };
}

const BRANCH = "└ ";
