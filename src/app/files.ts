// The places of an application's files: systemd's directories, those of the XDG
// Base Directory Specification, or the program's choice. Where another user may
// have made the directory, or could replace it, nothing is kept in it.

import { accessSync, constants, lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { appError } from "../errors/app.ts";
import { report } from "../diagnostics/stderr.ts";
import { homeDirectory } from "../platform/home-directory.ts";
import { environment, process } from "../platform/process.ts";
import { system } from "../platform/this-system.ts";
import { modeOf, whyReplaceable } from "../platform/trusted-path.ts";

export interface Places {
  readonly lock: string;
  readonly log: string;
  /** The file that says of a run that it has not ended well yet. */
  readonly run: string;
}

export interface PlaceOptions {
  readonly dir?: string | undefined;
  readonly lock?: string | undefined;
  readonly log?: string | undefined;
}

/**
 * Returns the places. None is in `XDG_RUNTIME_DIR`, not even the lock: a login has
 * one, a cron job of the same user has none, and both have to find the same lock.
 *
 * @throws an error with the code `ERR_ATEXIT_STATE_DIRECTORY` where there is no
 *   directory that can be written to, and that no other user has made or can replace
 */
export function placesOf(name: string, { dir, lock, log }: PlaceOptions): Places {
  const ordered = dir ?? ofSystemd("STATE_DIRECTORY");
  const state = ordered === undefined ? defaultDirectory(name) : orderedDirectory(resolve(ordered));
  return {
    lock: lock === undefined ? join(state, `${name}.lock`) : resolve(lock),
    log: log === undefined ? join(ofSystemd("LOGS_DIRECTORY") ?? state, `${name}.log`) : resolve(log),
    run: join(state, `${name}.run`),
  };
}

/** Returns a directory that was chosen: who can write to it is for those to say who have chosen it. */
function orderedDirectory(path: string): string {
  const why = whyNotUsable(path);
  if (why !== undefined) throw appError("ERR_ATEXIT_STATE_DIRECTORY", [[path, why]]);
  return path;
}

/** Returns the first of the default directories that can be used, and says why it is not the usual one. */
function defaultDirectory(name: string): string {
  const refused: [path: string, why: string][] = [];
  for (const path of defaultPlaces(name)) {
    const why = whyNotPrivate(path);
    if (why === undefined) {
      if (refused.length > 0) report(`${appError("ERR_ATEXIT_STATE_DIRECTORY", refused).message} Until then: ${path}.`);
      return path;
    }
    refused.push([path, why]);
  }
  throw appError("ERR_ATEXIT_STATE_DIRECTORY", refused);
}

function* defaultPlaces(name: string): Generator<string> {
  const xdg = environment()["XDG_STATE_HOME"];
  const home = homeDirectory();
  if (xdg !== undefined && isAbsolute(xdg)) yield join(xdg, name);
  else if (home !== undefined && isAbsolute(home) && home !== "/") yield join(home, ".local/state", name);
  // There is no other: each instance has to find the same lock.
  yield join(tmpdir(), `${name}-${process.geteuid?.() ?? "user"}`);
}

/** Returns the first of systemd's directories, which colons separate. Source: systemd.exec(5), RuntimeDirectory=. */
function ofSystemd(variable: string): string | undefined {
  return environment()[variable]?.split(":")[0] || undefined;
}

/** Makes a directory. Returns why there is none that can be written to, or `undefined`. */
function whyNotMade(path: string): string | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Makes a directory. Returns why it cannot be used, or may be another user's, or `undefined`. */
function whyNotUsable(path: string): string | undefined {
  try {
    return whySquatted(path) ?? whyNotMade(path) ?? whySquatted(realpathSync(path));
  } catch (error) {
    return (error as Error).message;
  }
}

/** Makes a directory that this user alone can replace, and write to. Returns why it is not, or `undefined`. */
function whyNotPrivate(path: string): string | undefined {
  try {
    const above = nearest(path);
    // Nothing is made in a place where it would not be used.
    const why = whyReplaceable(above, { isSticky: above !== path }) ?? whyNotMade(path) ?? whyReplaceable(path);
    return why ?? system.whyOpenToOthers?.(path);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Returns a path, or the nearest one above that is there. */
function nearest(path: string): string {
  let at = path;
  while (lstatSync(at, { throwIfNoEntry: false }) === undefined && at !== dirname(at)) at = dirname(at);
  return at;
}

/** Returns why another user may have made a directory or link on the way before this program came, or `undefined`. */
function whySquatted(path: string): string | undefined {
  const me = process.geteuid?.();
  if (me === undefined) return undefined;
  for (let at = nearest(path); at !== dirname(at); at = dirname(at)) {
    const { uid } = lstatSync(at);
    if (uid === me || uid === 0) continue;
    const above = statSync(dirname(at));
    if ((above.mode & 0o002) === 0 || above.uid === uid) continue;
    return `${at} belongs to another user (uid ${uid}), and anybody may make it in ${dirname(at)} (mode ${modeOf(above)})`;
  }
  return undefined;
}
