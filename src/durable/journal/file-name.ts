// The names of the files in a journal directory. A name tells its owner, so that
// ten thousand journals of live processes need not be opened.
//
//   <owner>-<random>.jsonl                      a journal
//   <owner>-<random>.jsonl.<owner>-<random>.claim  a journal that another process carries out
//   <owner>-<random>.jsonl.next                 a journal's shorter version, while it stands for the journal
//   <owner>-<random>.jsonl.tmp                  the same, before it is complete
//   <owner>-<random>.jsonl.refused              a journal that no process carries out
//   <owner>-<random>.jsonl.left-<view>          a journal of which no more could be done where mounts are as that view has them
//   <owner>-<random>.alive                      of a journal or a claim: locked while its holder lives, see life-file.ts
//   <owner>-<random>.jsonl.died                 made by the guard when its owner died: its time is that time

import { builtin } from "../../platform/node-builtins.ts";
import { lifeByFile } from "./life-file.ts";
import { isSameBoot, type Life, lifeOfProcess, type Owner, thisProcess } from "../../platform/process-identity.ts";

/** The part of an owner that a name tells. */
export interface NamedOwner {
  /** All of it, which no other owner has. */
  readonly token: string;
  /** The beginning of its boot id. */
  readonly boot: string;
  readonly pidns: string;
  readonly view: string;
  readonly pid: number;
  readonly start: string;
}

export interface JournalName {
  /** The file's own name. */
  readonly file: string;
  /** The name that the journal has while its owner lives. */
  readonly journal: string;
  /** The process that carries the journal out; its owner where none does. */
  readonly holder: NamedOwner;
  readonly kind: "journal" | "claim" | "left" | OtherKind;
  /** For `left`: the view of the file system in which it was tried last. */
  readonly triedIn?: string;
}

type OtherKind = "next" | "tmp" | "refused" | "died";

/** Boot, pid namespace, view of the file system, pid, start. */
const OWNER = "(([0-9a-z]+)-([0-9t]+)-(\\d+)-(\\d+)-(\\d+)-[0-9a-f]{8})";
const NAME = new RegExp(`^(${OWNER}\\.jsonl)(?:\\.(?:${OWNER}\\.claim|left-(\\d+)|(next|tmp|refused|died)))?$`);

export function parseName(file: string): JournalName | undefined {
  const match = NAME.exec(file);
  if (match === null) return undefined;
  const [, journal = "", token, boot, pidns, view, pid, start, claimant, ...rest] = match;
  const [triedIn, other] = rest.splice(-2);
  if (claimant !== undefined) return { file, journal, holder: named([claimant, ...rest]), kind: "claim" };
  const holder = named([token, boot, pidns, view, pid, start]);
  if (triedIn !== undefined) return { file, journal, holder, kind: "left", triedIn };
  return { file, journal, holder, kind: (other as OtherKind | undefined) ?? "journal" };
}

function named([token = "", boot = "", pidns = "", view = "", pid, start = "0"]: readonly (
  string | undefined
)[]): NamedOwner {
  return { token, boot, pidns, view, pid: Number(pid), start };
}

/** Returns the name of a journal. */
export function journalName(token: string): string {
  return `${token}.jsonl`;
}

/** Returns the id by which a recipe is known beyond its owner. @param journal its journal's name */
export function durableId(journal: string, id: number): string {
  return `${journal}:${id}`;
}

/** Returns the name that a journal had while its owner lived. @param path where it is now */
export function journalOf(path: string): string {
  const file = builtin("path").basename(path);
  return parseName(file)?.journal ?? file;
}

/** Returns the name of a journal while the owner of a token carries it out. */
export function claimName(journal: string, token: string): string {
  return `${journal}.${token}.claim`;
}

/** Returns a name for a journal of which no more can be done where this process is. */
export function newLeftName(journal: string): string {
  return `${journal}.left-${thisProcess().view}`;
}

/** Returns the name of the file whose time is that of a journal's owner's death. */
export function diedName(journal: string): string {
  return `${journal}.died`;
}

/** Returns a name that is given only once: `<boot>-<pidns>-<view>-<pid>-<start>-<random>` of this process. */
export function newToken(): string {
  const { pidns, view, pid, start } = thisProcess();
  // The number only has to be unique: no other user can write into the directory.
  const random = Math.trunc(Math.random() * 2 ** 32);
  return `${bootPart()}-${pidns}-${view}-${pid}-${start}-${random.toString(16).padStart(8, "0")}`;
}

const TOKEN = new RegExp(`^${OWNER}$`);

/** Returns the owner that a token names, or `undefined` where the text is no token. */
export function parseToken(token: string): NamedOwner | undefined {
  const match = TOKEN.exec(token);
  return match === null ? undefined : named(match.slice(1));
}

/** Returns the part that all tokens of one process have in common. */
export function processPart(token: string): string {
  return token.slice(0, token.lastIndexOf("-") + 1);
}

/** Returns the beginning of all names given since the system started, in this pid namespace: `<boot>-<pidns>-`. */
export function namesHere(): string {
  return `${bootPart()}-${thisProcess().pidns}-`;
}

function bootPart(owner: Owner = thisProcess()): string {
  return owner.boot.replaceAll(/[^0-9a-z]/g, "").slice(0, 12);
}

/**
 * Reports whether a name's owner is alive; `unknown` for a name of another boot or pid
 * namespace, of which no kernel lock tells.
 *
 * @param prefix of the owners' files; see life-file.ts
 */
export function lifeOfNamed(holder: NamedOwner, prefix: string): Life {
  const told = lifeByFile(prefix, holder.token, holder.pid);
  if (told !== undefined) return told;
  if (!isSameBoot(holder.boot, bootPart()) || holder.pidns !== thisProcess().pidns) return "unknown";
  return lifeOfProcess(holder.pid, holder.start);
}

/** Reports whether a name was given before this start of the system, or on another system. */
export function isOfAnotherBoot(holder: NamedOwner): boolean {
  return !isSameBoot(holder.boot, bootPart());
}
