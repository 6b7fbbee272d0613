// Reads a line of the log of replays: what has a field of a wrong type is no entry.

import type { Replayed } from "./replayed.ts";

const OUTCOMES: readonly unknown[] = [
  "done",
  "gone",
  "left alone",
  "failed",
  "given up",
  "refused",
  "pending",
] satisfies readonly Replayed["outcome"][];

/** How deep a recipe may be: what is deeper could not be written again as JSON. */
const DEEPEST = 100;

/** Returns the entry, or `undefined` where the line is none. */
export function parsedEntry(line: string): Replayed | undefined {
  if (line === "") return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is Replayed {
  if (!isObject(value)) return false;
  const { at, by, owner, recipe, title, outcome, why, took } = value;
  return (
    isTime(at) &&
    Number.isSafeInteger(by) &&
    (owner === undefined || isOwner(owner)) &&
    (recipe === undefined || isRecipe(recipe)) &&
    typeof title === "string" &&
    OUTCOMES.includes(outcome) &&
    (why === undefined || typeof why === "string") &&
    (took === undefined || Number.isFinite(took))
  );
}

function isOwner(value: unknown): boolean {
  return (
    isObject(value) &&
    Number.isSafeInteger(value["pid"]) &&
    typeof value["program"] === "string" &&
    typeof value["since"] === "string"
  );
}

function isRecipe(value: unknown): boolean {
  return isObject(value) && typeof value["do"] === "string" && isNoDeeperThan(value, DEEPEST);
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}

function isNoDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((each) => isNoDeeperThan(each, depth - 1));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
