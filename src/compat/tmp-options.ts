// The options of tmp 0.2. Types only.

/** Where a name is, and what it is made of. */
export interface TmpNameOptions {
  /** Relative to `tmpdir`, in which it has to be. */
  dir?: string;
  name?: string;
  postfix?: string;
  prefix?: string;
  /** A name with `XXXXXX` in it. */
  template?: string;
  tmpdir?: string;
  /** How many names are tried; 3 by default. */
  tries?: number;
}

export interface DirOptions extends TmpNameOptions {
  /** Leaves it at exit, also with `setGracefulCleanup()`. */
  keep?: boolean;
  mode?: number;
  /** Removes it with what is in it. */
  unsafeCleanup?: boolean;
}

export interface FileOptions extends TmpNameOptions {
  /** Leaves it at exit, also with `setGracefulCleanup()`. */
  keep?: boolean;
  mode?: number;
  /** Leaves the descriptor to the caller. */
  detachDescriptor?: boolean;
  /** Closes the descriptor at once. */
  discardDescriptor?: boolean;
}

/** Two forms of each: with options, and without. */
export interface Called<O, C> {
  (options: O | null | undefined, callback: C): void;
  (callback: C): void;
}
