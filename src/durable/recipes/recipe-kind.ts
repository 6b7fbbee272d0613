// The types of a kind of recipe: its data, its title in reports, and the
// function that carries it out. Types only.

import type { Helper } from "../helper/helper.ts";
import type { FileIdentity } from "../../platform/file-identity.ts";
import type { Owner } from "../../platform/process-identity.ts";

/** How the recipe's owner is related to the process that carries the recipe out. */
export interface ReplayContext {
  /** Whether the recipe's own thread, which is alive, carries it out. */
  readonly isOwner: boolean;
  /** Whether the system has not started anew since the recipe was written. */
  readonly sameBoot: boolean;
  /** Whether a path in the recipe means the same here. */
  readonly sameView: boolean;
  /** Whether devices have the same numbers here as when the recipe was written. */
  readonly sameDevices: boolean;
  /** Whether a pid in the recipe means the same here. */
  readonly samePids: boolean;
  /**
   * What its owner has made was born by then, by the clock of the journal's file
   * system in milliseconds; `undefined` where there is no evidence.
   */
  readonly bornUntil: number | undefined;
  readonly living: Living;
  /** Whether its owner's guard does: the owner has started it, in its own environment of that time. */
  readonly isGuard: boolean;
  /** How a helper is started, for a `call`: in the owner's executable, as long as that is there. */
  readonly helper: Helper | undefined;
  /** What its owner wants of a command that it runs itself. */
  readonly ownCommand?: OwnCommand;
}

/** A process that runs a recipe's command. */
export interface BegunCommand {
  readonly pid: number;
  readonly start: string;
  /** Whether its owner has told it to end, as its time was over. */
  readonly isOverdue?: true;
}

/** How an owner runs a command. */
export interface OwnCommand {
  /** Whether its output goes where the owner's does. */
  readonly inheritsOutput: boolean;
  /** Writes down which process runs it. */
  writeDown(begun: BegunCommand): void;
}

/** What others have registered who are alive. */
export interface Living {
  /** Returns who has something in a directory, as a sentence. */
  whoIsIn(realPath: string): string | undefined;
  /** Reports whether a process is one that somebody has registered who is not among these pids. */
  hasProcess(process: { readonly pid: number; readonly start: string }, except: ReadonlySet<number>): boolean;
  /** Returns the directories in which they have something: by `device:inode`, who has it, as a sentence. */
  directories(): ReadonlyMap<string, string>;
}

/**
 * "gone": the recipe's target was not there any more; "elsewhere": it may be
 * there for those who share its owner's view of the system.
 */
export type Success = "done" | "gone" | "elsewhere";

/** One kind of recipe. */
export interface RecipeKind<R extends { readonly do: string }> {
  /** Reports whether parsed JSON is a recipe of this kind, whole and sound. */
  matches(line: Readonly<Record<string, unknown>>): boolean;
  /** Returns the recipe's JSON, where that takes less time than `JSON.stringify`. */
  json?(recipe: R): string;
  /** Returns the name of the recipe in reports. */
  title(recipe: R): string;
  /**
   * Returns names for what the recipe is about: two recipes with one in common are
   * about the same thing. None where nobody else can mean the same.
   */
  names(recipe: R, owner: Pick<Owner, "view" | "pidns">): string[];
  /** Returns the directories in which it has something, or works. */
  directories(recipe: R): FileIdentity[];
  /** Reports whether the recipe says which thing it is about, or need not. */
  isIdentified?(recipe: R): boolean;
  /** Returns the recipe with an identity that could not be known at registration; `undefined` where it cannot be known yet. */
  identified?(recipe: R): R | undefined;
  /**
   * Carries the recipe out, and only on the target that was registered.
   *
   * @throws (or rejects with) an error with the code `ERR_ATEXIT_REPLACED` where
   *   that is not there any more and something else is
   */
  carryOut(recipe: R, context: ReplayContext): Success | Promise<Success>;
}

export interface KillRecipe {
  readonly do: "kill";
  readonly pid: number;
  /** When the process started; "0" for a child that had ended: its pid says nothing of it any more. */
  readonly start: string;
  /** Whether the process leads a process group, in which its descendants can be found without it. */
  readonly leads: boolean;
  /** The mark in the environments of its descendants, where the process was given one. */
  readonly mark?: string;
  /** A clock tick in which the process was alive, for one that leads a group. */
  readonly seen?: number;
  /** Those of its tree that were there when it had ended. */
  readonly members?: readonly (readonly [pid: number, start: string])[];
  readonly signal: NodeJS.Signals;
  readonly grace: number;
}

export interface UnlockRecipe {
  readonly do: "unlock";
  /** The lock file. Absolute. */
  readonly path: string;
  /** Its directory. */
  readonly in: FileIdentity;
  /** The token of the lock's owner. */
  readonly token: string;
}
