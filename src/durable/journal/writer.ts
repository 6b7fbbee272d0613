// The journal as its owner writes it: the file in which a thread writes its
// recipes down before they are needed. A file in which nothing is pending is
// empty, and is removed after a while.

import { builtin } from "../../platform/node-builtins.ts";
import { identityOf, inodeOf } from "../../platform/file-identity.ts";
import { isLacking } from "../../platform/lacking.ts";
import { credentials } from "../../platform/process-identity.ts";
import { system } from "../../platform/this-system.ts";
import { durableError } from "../../errors/durable.ts";
import { report } from "../../diagnostics/stderr.ts";
import { JournalDirectory } from "./directory.ts";
import { COMPLETE, type Header, LOCKED, LONGEST_JOURNAL, LONGEST_LINE } from "./format.ts";
import { JournalFile } from "./journal-file.ts";
import type { LifeFile } from "./life-file.ts";
import { jsonOf, type Recipe } from "../recipes/recipe.ts";

/** How much room finished recipes may take before the file is written anew, in bytes. */
const WORTH_SHORTENING = 64 * 1024;

const fs = builtin("fs");

export class Journal {
  readonly #file: JournalFile;
  readonly #header: Omit<Header, "file">;
  readonly #life: LifeFile;
  readonly #sync: boolean;
  readonly #uid: number;
  /** The lines as they were written: the smallest form of a recipe. */
  readonly #pending = new Map<number, string>();
  #lastId = 0;
  #writtenAt = 0;
  /** The size of the file, without the guard's line. */
  #size = 0;
  /** How much of the file is needed, in bytes. */
  #live = 0;
  #locked = false;
  /**
   * What is over and not written down yet: what was over while this process acted in another
   * user's name, or had no descriptor left; and what does no harm where it is carried out once more.
   */
  readonly #owed: number[] = [];
  /** Whether the last line was written only in part. */
  #torn = false;
  /** Whether a part of a line is in the file that is not counted. */
  #hasRemains = false;
  #hasCopy = false;

  /** @param life released with the journal */
  constructor(path: string, header: Omit<Header, "file">, sync: boolean, life: LifeFile) {
    this.#life = life;
    this.#sync = sync;
    this.#header = header;
    this.#uid = header.owner.uid;
    try {
      this.#file = new JournalFile(path, this.#uid !== 0);
    } catch (error) {
      throw notWritten(path, error);
    }
    if (sync) syncDirectory(builtin("path").dirname(path));
  }

  get path(): string {
    return this.#file.path;
  }

  /** A descriptor of the file, which a guard inherits for the kernel's lock. */
  get fd(): number {
    return this.#file.fd;
  }

  /** When the file was written before the last recipe, by the clock of its file system in milliseconds. */
  get writtenAt(): number {
    return this.#writtenAt;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Whether this process still acts in the name of the user that the journal belongs to. */
  get isOwn(): boolean {
    return credentials().uid === this.#uid;
  }

  /**
   * Returns the time by the clock of the file system that the journal is on, in
   * milliseconds: a program's own clock can be a test's.
   *
   * @throws an error with the code `ERR_ATEXIT_JOURNAL`
   */
  clock(): number {
    try {
      this.#verify();
      this.#append("\n", true);
      return this.#file.stats().mtimeMs;
    } catch (error) {
      throw notWritten(this.path, error);
    }
  }

  /**
   * Writes a recipe down. Where somebody has shortened or removed the file it is
   * written anew: no recipe is lost without a word.
   *
   * @throws an error with the code `ERR_ATEXIT_JOURNAL`; then it is not in the journal
   */
  add(recipe: Recipe): number {
    const id = this.#lastId + 1;
    const line = lineOf(id, recipe);
    const length = Buffer.byteLength(line);
    if (length > LONGEST_LINE) {
      throw durableError("ERR_ATEXIT_JOURNAL", this.path, `it takes more than ${LONGEST_LINE} bytes`);
    }
    if (this.#size + length + LONGEST_LINE > LONGEST_JOURNAL) {
      throw durableError("ERR_ATEXIT_JOURNAL", this.path, "it has reached its greatest length");
    }
    try {
      this.#verify();
      this.#live += this.#append(line, true);
    } catch (error) {
      throw notWritten(this.path, error);
    }
    this.#lastId = id;
    this.#pending.set(id, line);
    return id;
  }

  /** Writes down what has become known about a pending recipe. Where that fails the recipe stays as it was. */
  update(id: number, recipe: Recipe): void {
    const before = this.#pending.get(id);
    const line = lineOf(id, recipe);
    if (before === undefined || line.length > LONGEST_LINE) return;
    try {
      this.#live += this.#append(line) - Buffer.byteLength(before);
      this.#pending.set(id, line);
    } catch {
      // The disk is full: what is known less about is left alone in doubt.
    }
  }

  #verify(): void {
    const stats = this.#file.stats();
    this.#writtenAt = stats.mtimeMs;
    const there = fs.lstatSync(this.path, { throwIfNoEntry: false });
    const isThere = there !== undefined && inodeOf(there) === inodeOf(stats);
    if (isThere && this.#isAsWritten(stats.size)) return;
    const what =
      there === undefined ? "removed" : !isThere ? "replaced" : stats.size < this.#size ? "shortened" : "changed";
    report(`somebody has ${what} the journal ${this.path}: it is written anew.`);
    if (!isThere) {
      JournalDirectory.made(builtin("path").dirname(this.path));
      discard(this.path);
      this.#file.makeAnew();
    } else this.#file.truncate();
    this.#countAnew();
    // The guard's lock went with its line, and is no evidence any more.
    this.#locked = false;
    const text = [...this.#pending.values()].join("");
    if (text !== "") this.#live = this.#append(text);
  }

  /** Reports whether that is the length of what was written here, and of the lines of guards. */
  #isAsWritten(size: number): boolean {
    const more = size - this.#size;
    return more >= 0 && (this.#hasRemains || more % LOCKED.length === 0);
  }

  /** Returns the recipes that are pending. */
  recipes(): Recipe[] {
    return [...this.#pending.values()].map(recipeIn);
  }

  /** Returns the line of a pending recipe as it was written. */
  line(id: number): string | undefined {
    return this.#pending.get(id);
  }

  /**
   * Writes down that a recipe is over.
   *
   * @throws an error with the code `ERR_ATEXIT_JOURNAL` where nothing could be
   *   written: the recipe would be carried out once more
   */
  done(id: number): void {
    const line = this.#pending.get(id);
    if (line === undefined) return;
    this.#pending.delete(id);
    if (!this.isOwn) {
      this.#owed.push(id); // its guard is told
      return;
    }
    this.#live -= Buffer.byteLength(line);
    try {
      if (this.#pending.size === 0) this.#clear();
      else this.#append(doneLine(id));
    } catch (error) {
      if (isLacking(error)) this.#owed.push(id);
      else if (!isGone(error) && !this.#blot(id)) throw notWritten(this.path, error);
      return;
    }
    if (this.#isWorthShortening) this.#shorten();
  }

  /** Whether something is over that is not written down yet. */
  get owes(): boolean {
    return this.#owed.length > 0;
  }

  /**
   * Takes down that a recipe is over which does no harm where it is carried out once
   * more: settle() writes that down, or the next line does.
   *
   * @throws as done() does
   */
  doneSoon(id: number): void {
    const line = this.#pending.get(id);
    if (line === undefined || !this.isOwn) return this.done(id);
    this.#pending.delete(id);
    this.#live -= Buffer.byteLength(line);
    this.#owed.push(id);
    if (!this.#isWorthShortening) return;
    if (this.#pending.size === 0) this.#clear();
    else this.#shorten();
  }

  /** Writes down what was only taken down. Where that cannot be done it stays as it is: it does no harm. */
  settle(): void {
    if (this.#owed.length === 0 || !this.isOwn) return;
    try {
      if (this.#pending.size === 0) this.#clear();
      else this.#append("");
    } catch {
      // The disk is full, or no descriptor is left.
    }
  }

  get #isWorthShortening(): boolean {
    return this.#size - this.#live > Math.max(WORTH_SHORTENING, this.#live);
  }

  /** Removes the journal, with all recipes that are pending. */
  close(): void {
    if (this.isOwn) {
      if (this.#hasCopy) discard(this.#copy);
      discard(this.path);
      this.#life.release();
    }
    this.leave();
  }

  /** Leaves the journal to its guard, or to the next start. */
  leave(): void {
    this.#file.close();
  }

  /**
   * @param isLooked whether the file was looked at just before
   * @returns the length of the text, in bytes
   */
  #append(text: string, isLooked = false): number {
    const owed = this.#owed.map(doneLine).join("");
    const whole = this.#size === 0 ? this.#beginning() + text : (this.#torn ? TEAR : "") + owed + text;
    let written = 0;
    try {
      this.#file.write((fd) => {
        written = fs.writeSync(fd, whole);
        // The text is not ASCII; or the disk fills up, and takes a part first.
        if (written !== whole.length) {
          const bytes = Buffer.from(whole);
          while (written < bytes.length) written += fs.writeSync(fd, bytes, written);
        }
        if (this.#sync) fs.fdatasyncSync(fd);
      }, isLooked);
    } catch (error) {
      this.#torn = this.#size > 0;
      this.#hasRemains ||= this.#torn;
      if (!this.#torn && written > 0) this.#truncate();
      throw error;
    }
    this.#torn = false;
    this.#owed.length = 0;
    this.#size += written;
    return whole === text ? written : Buffer.byteLength(text);
  }

  #beginning(): string {
    return this.#locked ? this.#headerLine() + LOCKED : this.#headerLine();
  }

  #headerLine(): string {
    const header: Header = { ...this.#header, file: identityOf(this.#file.stats()) };
    return `${JSON.stringify(header)}\n`;
  }

  #clear(): void {
    if (this.#hasCopy) discard(this.#copy);
    this.#hasCopy = false;
    try {
      this.#truncate();
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** Empties the file, but does not forget the guard's line. */
  #truncate(): void {
    this.#locked ||= this.#file.stats().size > this.#size && this.#holdsLockedLine();
    this.#file.truncate();
    this.#countAnew();
    this.#owed.length = 0;
  }

  /** Begins to count what is in the file, which is empty. */
  #countAnew(): void {
    this.#size = 0;
    this.#live = 0;
    this.#torn = false;
    this.#hasRemains = false;
  }

  #holdsLockedLine(): boolean {
    const text = fs.readFileSync(this.path, "utf8");
    return text.startsWith(LOCKED) || text.includes(`\n${LOCKED}`);
  }

  /**
   * Writes the journal anew with the pending recipes, in its place, since the
   * kernel's lock belongs to this very file. Until that is complete, a copy
   * beside the journal stands for it.
   */
  #shorten(): void {
    const text = [...this.#pending.values()].join("");
    const unfinished = `${this.path}.tmp`;
    try {
      fs.writeFileSync(unfinished, this.#headerLine() + text + COMPLETE, { mode: 0o600, flush: this.#sync });
      fs.renameSync(unfinished, this.#copy);
      this.#hasCopy = true;
      this.#truncate();
      this.#live = this.#append(text);
    } catch {
      // There is no room even for a copy: the journal stays as long as it is, or the copy stands for it.
      if (!this.#hasCopy) discard(unfinished);
      this.#live = this.#size;
      return;
    }
    discard(this.#copy);
    this.#hasCopy = false;
  }

  get #copy(): string {
    return `${this.path}.next`;
  }

  /** Overwrites a recipe where it stands, which takes no room on a full disk. */
  #blot(id: number): boolean {
    try {
      const text = fs.readFileSync(this.path);
      const fd = fs.openSync(this.path, "r+"); // a file opened for appending is written only at its end
      try {
        for (let at = text.indexOf(`\n{"id":${id},`); at !== -1; at = text.indexOf(`\n{"id":${id},`, at + 1)) {
          const length = text.indexOf("\n", at + 1) - at - 1;
          fs.writeSync(fd, Buffer.alloc(length, " "), 0, length, at + 1);
        }
        if (this.#sync) fs.fdatasyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      return true;
    } catch {
      return false;
    }
  }
}

/** Reports whether somebody has removed the file: nothing in it will be carried out once more. */
function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** Returns the error of a journal that could not be written, with the system's as its cause. */
function notWritten(path: string, error: unknown): Error {
  return Object.assign(durableError("ERR_ATEXIT_JOURNAL", path, (error as Error).message), { cause: error });
}

/** Reports whether an error says that the system, and not this package, has refused a journal. */
export function isNotWritten(error: unknown): error is Error & { readonly cause: Error } {
  const { code, cause } = error as Partial<NodeJS.ErrnoException>;
  return code === "ERR_ATEXIT_JOURNAL" && cause instanceof Error;
}

/** Ends a line that was written only in part, and makes it unreadable. */
const TEAR = "~\n";

/** Returns the recipe in a line that a journal has written. */
export function recipeIn(line: string): Recipe {
  const { id: _, ...recipe } = JSON.parse(line) as Recipe & { id: number };
  return recipe;
}

function lineOf(id: number, recipe: Recipe): string {
  return `{"id":${id},${jsonOf(recipe).slice(1)}\n`;
}

function doneLine(id: number): string {
  return `{"done":${id}}\n`;
}

/** Removes a file; a user may have cleared the directory by hand. */
function discard(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Writes the entries of a directory through to the disk. */
function syncDirectory(path: string): void {
  if (!system.canSyncDirectories) return;
  const fd = fs.openSync(path, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
