// Shutdowns of many files, in bounded memory: the latest and the longest whole, of
// those before them the cleanups that matter most, and of the first ones nothing.

import { longest } from "./rows.ts";
import { lengthOf, MOST_HISTORIES, ROWS_OF_OTHERS, type ShutdownHistory, WHOLE_HISTORIES } from "./shutdown-history.ts";

export class HistoryCollection {
  /** The number of shutdowns that are not kept. */
  forgotten = 0;
  #histories: ShutdownHistory[] = [];
  /** How many have come since the last look at how many there are. */
  #added = 0;

  add(histories: Iterable<ShutdownHistory>): void {
    for (const history of histories) {
      this.#histories.push(history);
      this.#added += 1;
    }
    if (this.#added >= WHOLE_HISTORIES) this.#shorten();
  }

  /** Returns them in the order in which they came. */
  all(): readonly ShutdownHistory[] {
    return this.#histories;
  }

  #shorten(): void {
    this.#added = 0;
    const latest = [...this.#histories].sort((a, b) => b.beganAt - a.beganAt);
    const kept = new Set(latest.slice(0, MOST_HISTORIES));
    const whole = new Set(latest.slice(0, WHOLE_HISTORIES));
    const worst = worstOf(this.#histories);
    this.forgotten += latest.length - kept.size;
    this.#histories = this.#histories
      .filter((history) => kept.has(history))
      .map((history) => (whole.has(history) || history === worst ? history : shortened(history)));
  }
}

/** Returns the longest shutdown, the first of several. */
export function worstOf(histories: readonly ShutdownHistory[]): ShutdownHistory {
  const length = ({ beganAt, endedAt }: ShutdownHistory) => endedAt - beganAt;
  return histories.reduce((worst, history) => (length(history) > length(worst) ? history : worst));
}

function shortened(history: ShutdownHistory): ShutdownHistory {
  const rows = longest(history.rows, ROWS_OF_OTHERS);
  if (rows.length === history.rows.length) return history;
  const isKept = new Set(rows);
  const leftOut = { ...history.leftOut };
  for (const row of history.rows) {
    if (isKept.has(row)) continue;
    if (row.outcome === "never ran") leftOut.neverRan += 1;
    else {
      leftOut.count += 1;
      leftOut.total += lengthOf(row);
    }
  }
  return { ...history, rows, leftOut };
}
