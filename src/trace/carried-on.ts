// Writes on with the trace of a process that has died, as its recipes are
// carried out: the owner's journal says where that trace is.

import type { Header } from "../durable/journal.js";
import { durableId, journalOf } from "../durable/names.js";
import { type Recipe, titleOf } from "../durable/recipes/recipe.js";
import { TraceFile } from "./file.js";
import { Lane, type ReplayBegan, type ReplayEnded, type TraceRecord } from "./records.js";

export type CarriedOnBy = ReplayBegan["by"];

/** A recipe in a journal. */
interface Numbered {
  readonly id: number;
  readonly recipe: Recipe;
}

export class CarriedOn {
  /** `undefined` where the owner wrote no trace. */
  static of({ header, path }: { header: Header; path: string }, by: CarriedOnBy): CarriedOn | undefined {
    const { trace } = header;
    return trace === undefined ? undefined : new CarriedOn(trace, header, path, by);
  }

  readonly #file: TraceFile;
  readonly #lane: Lane;
  readonly #by: CarriedOnBy;
  readonly #program: string;
  readonly #journal: string;
  #hasFailed = false;

  private constructor(trace: string, { owner, program }: Header, path: string, by: CarriedOnBy) {
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
    this.#write(this.#lane.at(Date.now(), "b", began.replay, titleOf(of.recipe), began));
  }

  end(of: Numbered, { outcome, why }: Omit<ReplayEnded, "replay">): void {
    const ended = { replay: this.#id(of), by: this.#by, outcome, why };
    this.#write(this.#lane.at(Date.now(), "e", ended.replay, titleOf(of.recipe), ended));
  }

  close(): void {
    this.#file.close();
  }

  #id({ id }: Numbered): string {
    return `${process.pid}:${durableId(this.#journal, id)}`;
  }

  /** What is to be carried out matters more than the trace of it. */
  #write(record: TraceRecord): void {
    if (this.#hasFailed) return;
    try {
      this.#file.write([record]);
    } catch {
      this.#hasFailed = true;
    }
  }
}
