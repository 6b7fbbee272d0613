// Continues the trace of a process that has died, as its recipes are carried
// out: the owner's journal says where that trace is.

import { timeOfDay } from "../../platform/node-builtins.ts";
import type { Header } from "../journal/format.ts";
import { durableId, journalOf } from "../journal/file-name.ts";
import { type Recipe, titleOf } from "../recipes/recipe.ts";
import { TraceFile } from "../../trace/trace-file.ts";
import { Lane, type ReplayBegan, type ReplayEnded, type TraceRecord } from "../../trace/trace-event.ts";
import { process } from "../../platform/process.ts";

export type ReplayedBy = ReplayBegan["by"];

/** A recipe in a journal. */
interface Numbered {
  readonly id: number;
  readonly recipe: Recipe;
}

export class ReplayTrace {
  /** Returns the owner's trace, or `undefined` where the owner wrote none. */
  static of({ header, path }: { header: Header; path: string }, by: ReplayedBy): ReplayTrace | undefined {
    const { trace } = header;
    return trace === undefined ? undefined : new ReplayTrace(trace, header, path, by);
  }

  readonly #file: TraceFile;
  readonly #lane: Lane;
  readonly #by: ReplayedBy;
  readonly #program: string;
  readonly #journal: string;
  #hasFailed = false;

  private constructor(trace: string, { owner, program }: Header, path: string, by: ReplayedBy) {
    this.#file = new TraceFile(trace, true);
    this.#lane = new Lane(owner.pid, process.pid);
    this.#by = by;
    this.#program = program;
    this.#journal = journalOf(path);
    this.#write(this.#lane.meta("thread_name", { name: `${by} (${process.pid})` }));
  }

  begin(of: Numbered): void {
    const durable = durableId(this.#journal, of.id);
    const began: ReplayBegan = { replay: this.#id(of), by: this.#by, durable, program: this.#program };
    this.#write(this.#lane.at(timeOfDay(), "b", began.replay, titleOf(of.recipe), began));
  }

  end(of: Numbered, { outcome, why }: Omit<ReplayEnded, "replay">): void {
    const ended = { replay: this.#id(of), by: this.#by, outcome, why };
    this.#write(this.#lane.at(timeOfDay(), "e", ended.replay, titleOf(of.recipe), ended));
  }

  close(): void {
    this.#file.close();
  }

  #id({ id }: Numbered): string {
    return `${process.pid}:${durableId(this.#journal, id)}`;
  }

  /** Writes a record; a failure stops no recipe, since recipes matter more than their trace. */
  #write(record: TraceRecord): void {
    if (this.#hasFailed) return;
    try {
      this.#file.write([record]);
    } catch {
      this.#hasFailed = true;
    }
  }
}
