// What a keeper tells of a recipe. Types only.

import type { JsonValue } from "../durable/index.ts";

/** A recipe that a keeper has carried out, or tried to. */
export interface Carried {
  /** The time of this, in ISO 8601. */
  readonly at: string;
  readonly action: string;
  /** Its arguments; a text where they are no JSON. */
  readonly args: JsonValue;
  /**
   * `carried`; `failed`: it is tried again after a pause; `dead letter`: it has failed
   * so often that it is not; `refused`: nobody may carry it out, which makes a dead letter as well.
   */
  readonly outcome: "carried" | "failed" | "dead letter" | "refused";
  /** Why it has failed, or was refused. */
  readonly error?: string;
  /** How often it has been tried, this time included. */
  readonly tries: number;
  /** How long it took, in milliseconds. */
  readonly took: number;
  /** Who has planted it, as it has said of itself. */
  readonly owner: { readonly host?: string; readonly pid?: number; readonly program?: string; readonly since?: string };
  /** The engine's user who has planted it, where the engine tells. */
  readonly planter?: string;
  /** By which `atexit dead-letters` knows it. */
  readonly id: string;
}
