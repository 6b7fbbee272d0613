// The places of an application's files: systemd's directories, those of the XDG
// Base Directory Specification, or the program's choice.

import { mkdirSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { environment } from "../platform/process.ts";

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
 * @throws the system's error where the directory cannot be made
 */
export function placesOf(name: string, { dir, lock, log }: PlaceOptions): Places {
  const state = dir === undefined ? stateDirectory(name) : resolve(dir);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  return {
    lock: lock === undefined ? join(state, `${name}.lock`) : resolve(lock),
    log: log === undefined ? join(ofSystemd("LOGS_DIRECTORY") ?? state, `${name}.log`) : resolve(log),
    run: join(state, `${name}.run`),
  };
}

function stateDirectory(name: string): string {
  const xdg = environment()["XDG_STATE_HOME"];
  const home = homeDirectory();
  return (
    ofSystemd("STATE_DIRECTORY") ??
    (xdg !== undefined && isAbsolute(xdg) ? join(xdg, name) : undefined) ??
    (home === undefined ? join(tmpdir(), `${name}-${userInfo().uid}`) : join(home, ".local/state", name))
  );
}

/** Returns the first of systemd's directories, which colons separate. Source: systemd.exec(5), RuntimeDirectory=. */
function ofSystemd(variable: string): string | undefined {
  return environment()[variable]?.split(":")[0] || undefined;
}

function homeDirectory(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) && home !== "/" ? home : undefined;
  } catch {
    return undefined; // a user without an entry
  }
}
