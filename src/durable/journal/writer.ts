// The journal as its owner writes it: the file in which a thread writes its
// recipes down before they are needed. A file in which nothing is pending is
// empty, and is removed after a while.

import { builtin } from "../../platform/node-builtins.ts";
import { durableError } from "../../errors/durable.ts";
import { COMPLETE, type Header, LOCKED, LONGEST_JOURNAL } from "./format.ts";
import { jsonOf, type Recipe } from "../recipes/recipe.ts";

/** How much room finished recipes may take before the file is written anew, in bytes. */
const WORTH_SHORTENING = 64 * 1024;

const fs = builtin("fs");

export class Journal {
  /** The descriptor of the file, which a guard inherits. */
  readonly fd: number;
  readonly path: string;
  readonly #header: string;
  readonly #sync: boolean;
  /** The lines as they were written: the smallest form of a recipe. */
  readonly #pending = new Map<number, string>();
  #lastId = 0;
  /** The size of the file, without the guard's line. */
  #size = 0;
  /** How much of the file is needed, in bytes. */
  #live = 0;
  #locked = false;
  /** Whether the last line was written only in part. */
  #torn = false;
  #hasCopy = false;

  constructor(path: string, header: Header, sync: boolean) {
    this.path = path;
    this.#sync = sync;
    this.#header = `${JSON.stringify(header)}\n`;
    const { O_APPEND, O_CREAT, O_EXCL, O_RDWR } = fs.constants;
    try {
      this.fd = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0o600);
    } catch (error) {
      throw durableError("ERR_ATEXIT_JOURNAL", path, (error as Error).message);
    }
    if (sync) syncDirectory(builtin("path").dirname(path));
  }

  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Writes a recipe down.
   *
   * @throws an error with the code `ERR_ATEXIT_JOURNAL`; then it is not in the journal
   */
  add(recipe: Recipe): number {
    const id = ++this.#lastId;
    const line = lineOf(id, recipe);
    if (this.#size + line.length > LONGEST_JOURNAL) {
      throw durableError("ERR_ATEXIT_JOURNAL", this.path, "it has reached its greatest length");
    }
    try {
      this.#live += this.#append(line);
    } catch (error) {
      throw durableError("ERR_ATEXIT_JOURNAL", this.path, (error as Error).message);
    }
    this.#pending.set(id, line);
    return id;
  }

  /** Returns the line of a pending recipe as it was written. */
  line(id: number): string {
    return this.#pending.get(id) as string;
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
    if (this.#pending.size === 0) {
      this.#clear();
      return;
    }
    this.#live -= Buffer.byteLength(line);
    try {
      this.#append(`{"done":${id}}\n`);
    } catch (error) {
      if (!this.#blot(id)) throw durableError("ERR_ATEXIT_JOURNAL", this.path, (error as Error).message);
    }
    if (this.#size - this.#live > Math.max(WORTH_SHORTENING, this.#live)) this.#shorten();
  }

  /** Removes the journal, with all recipes that are pending. */
  close(): void {
    if (this.#hasCopy) discard(this.#copy);
    discard(this.path);
    fs.closeSync(this.fd);
  }

  /** @returns the length of the text, in bytes */
  #append(text: string): number {
    const whole = this.#size === 0 ? this.#beginning() + text : this.#torn ? TEAR + text : text;
    let written = 0;
    try {
      written = fs.writeSync(this.fd, whole);
      // The text is not ASCII; or the disk fills up, and takes a part first.
      if (written !== whole.length) {
        const bytes = Buffer.from(whole);
        while (written < bytes.length) written += fs.writeSync(this.fd, bytes, written);
      }
      if (this.#sync) fs.fdatasyncSync(this.fd);
    } catch (error) {
      this.#torn = this.#size > 0;
      if (!this.#torn) this.#truncate();
      throw error;
    }
    this.#torn = false;
    this.#size += written;
    return whole === text ? written : Buffer.byteLength(text);
  }

  #beginning(): string {
    return this.#locked ? this.#header + LOCKED : this.#header;
  }

  #clear(): void {
    if (this.#hasCopy) discard(this.#copy);
    this.#hasCopy = false;
    this.#truncate();
  }

  /** Empties the file, but does not forget the guard's line. */
  #truncate(): void {
    this.#locked ||= fs.fstatSync(this.fd).size > this.#size && this.#holdsLockedLine();
    fs.ftruncateSync(this.fd, 0);
    this.#size = 0;
    this.#live = 0;
    this.#torn = false;
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
      fs.writeFileSync(unfinished, this.#header + text + COMPLETE, { mode: 0o600, flush: this.#sync });
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
      const from = text.indexOf(`\n{"id":${id},`) + 1;
      const to = text.indexOf("\n", from);
      if (from === 0) return false;
      const fd = fs.openSync(this.path, "r+"); // a file opened for appending is written only at its end
      try {
        fs.writeSync(fd, Buffer.alloc(to - from, " "), 0, to - from, from);
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

/** Removes a file; a user may have cleared the directory by hand. */
function discard(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
