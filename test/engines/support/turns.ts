// What contenders have told, and the checker of it. Tokens order the turns, and
// every process of a machine has the same monotonic clock: with unique tokens that
// grow, "nobody is told that it holds the lease after a later turn has begun" is all
// there is to a lock. No search is needed.

/** One line that a contender has written; times are milliseconds on the monotonic clock. */
export type Told =
  /** It has the lease. */
  | { readonly at: number; readonly is: "begun"; readonly token: number }
  /** It was told that it holds it; the time is that before the question. */
  | { readonly at: number; readonly is: "held"; readonly token: number }
  /** The lease's signal has fired. */
  | { readonly at: number; readonly is: "signal"; readonly token: number; readonly reason: string }
  /** What the fence has said of a write that was sent after it was told that it holds it. */
  | { readonly at: number; readonly is: "accepted" | "refused"; readonly token: number }
  | { readonly at: number; readonly is: "error"; readonly message: string };

export interface Turn {
  readonly token: number;
  readonly who: number;
  readonly begun: number;
  lastHeld: number;
  signalled: number | undefined;
}

/** @throws where two turns overlap, or a token does not grow */
export function checkTurns(told: readonly { readonly who: number; readonly line: Told }[]): Turn[] {
  const turns = new Map<number, Turn>();
  const violations: string[] = [];
  for (const { who, line } of told) {
    if (line.is === "error") continue;
    const turn = turns.get(line.token);
    if (line.is === "begun") {
      if (turn !== undefined) violations.push(`token ${line.token} was given to ${turn.who} and to ${who}`);
      turns.set(line.token, { token: line.token, who, begun: line.at, lastHeld: line.at, signalled: undefined });
    } else if (turn !== undefined && line.is === "held") turn.lastHeld = Math.max(turn.lastHeld, line.at);
    else if (turn !== undefined && line.is === "signal") turn.signalled = line.at;
  }
  const inOrder = [...turns.values()].sort((a, b) => a.token - b.token);
  for (const [n, next] of inOrder.entries()) {
    const turn = inOrder[n - 1];
    if (turn === undefined) continue;
    if (next.begun < turn.begun) violations.push(`token ${next.token} was given before ${turn.token}`);
    if (turn.lastHeld > next.begun) {
      const by = Math.round(turn.lastHeld - next.begun);
      violations.push(`${turn.who} held it with token ${turn.token} for ${by} ms after token ${next.token} began`);
    }
  }
  if (violations.length > 0) throw new Error(violations.join("\n"));
  return inOrder;
}
