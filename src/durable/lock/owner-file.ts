// The owner file, which says who holds a lock. It is written once, under a name
// of its own beside the lock, and becomes the lock by link(2), which succeeds
// for one of all contenders and shows a half-written file to none.

import { resourceError } from "../../errors/resources.ts";
import { builtin, timeOfDay } from "../../platform/node-builtins.ts";
import { OwnDescriptor } from "../../platform/own-descriptor.ts";
import { thisOwner } from "../../platform/process-identity.ts";
import { programName } from "../../platform/program-name.ts";
import { SYSTEM_PATH } from "../../platform/system-programs.ts";
import { LifeFile } from "../journal/life-file.ts";
import type { JsonValue } from "../json-value.ts";
import { type LockRecord, LONGEST_FILE, PROVABLE } from "./lock-record.ts";
import { breakPath, isSameFile, MOST_BREAKERS, ownerPath, statOf, unlinked } from "./lock-path.ts";
import { system } from "../../platform/this-system.ts";

/** How long the helper for the kernel lock may take, in milliseconds. */
const HELPED_WITHIN = 2_000;

/** In bytes; most file systems have no longer ones. */
const LONGEST_NAME = 255;

/** When one was told of its turn that does not wait, in seconds: all file systems have that time. */
const FAR_FUTURE = 2 ** 31 - 1;

const fs = builtin("fs");

/** The owner file of this thread for one lock. */
export class OwnerFile {
  readonly path: string;
  readonly token: string;
  readonly #text: string;
  readonly #isLocal: boolean;
  #open: OwnDescriptor | undefined;
  /** Those that were deleted, and made anew: as long as one is open, no other file is the same inode. */
  readonly #deleted: OwnDescriptor[] = [];
  #dev = 0;
  #ino = 0;
  #isProved = false;
  #isMarkedIdle = false;
  readonly #lock: string;
  #life: LifeFile | undefined;

  /** @throws the system's error; then nothing is left of it */
  constructor(lock: string, token: string, journals: string, data?: JsonValue) {
    this.#isLocal = system.isLocal(builtin("path").dirname(lock));
    const record: LockRecord = {
      atexit: 1,
      token,
      owner: thisOwner(),
      isLocal: this.#isLocal,
      program: programName(),
      host: builtin("os").hostname(),
      journals,
      journalsAre: identityOf(journals),
      ...(data === undefined ? {} : { data }),
    };
    this.#lock = lock;
    this.path = ownerPath(lock, token);
    this.token = token;
    this.#text = `${JSON.stringify(record)}\n`;
    const size = Buffer.byteLength(this.#text) + PROVABLE.length;
    // Who takes it from a dead owner makes a file with a longer name.
    if (Buffer.byteLength(builtin("path").basename(breakPath(lock, token, MOST_BREAKERS))) > LONGEST_NAME)
      throw resourceError("ERR_ATEXIT_LOCK", lock, "its name is too long");
    if (size > LONGEST_FILE) throw resourceError("ERR_ATEXIT_LOCK", lock, `its file would have ${size} bytes`);
    this.#make();
  }

  get dev(): number {
    return this.#dev;
  }

  get ino(): number {
    return this.#ino;
  }

  #make(): void {
    this.#life = new LifeFile(`${this.#lock}.`, this.token);
    let fd: number;
    try {
      fd = fs.openSync(this.path, "ax", 0o644);
    } catch (error) {
      this.#life.release();
      throw error;
    }
    this.#open = new OwnDescriptor(fd);
    ({ dev: this.#dev, ino: this.#ino } = this.#open);
    this.#isProved = false;
    this.#isMarkedIdle = false;
    try {
      // All who can reach the lock may read who holds it, whatever the umask: nothing in it is secret.
      allowReading(fd);
      fs.writeFileSync(fd, this.#text);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /**
   * Makes the file anew where somebody has deleted it. No other process has
   * ever taken its token for a dead owner's.
   */
  makeAnew(): void {
    if (this.#open !== undefined) this.#deleted.push(this.#open);
    this.#open = undefined;
    this.#life?.release();
    this.#make();
    this.acquireKernelLock(false);
  }

  /**
   * Takes a kernel lock on the file, which ends with this process: for those
   * who cannot see its pid, in another container. The helper goes; the lock
   * stays with the descriptor, and the helper has written down that it is there,
   * since a holder may block its event loop.
   *
   * @param wait whether to have it before this returns, which takes some milliseconds
   */
  acquireKernelLock(wait: boolean): void {
    if (!this.#isLocal || !system.hasShell || (this.#isProved && !wait)) return;
    const fd = this.#ownFd();
    if (fd === undefined) return;
    this.#isProved = true;
    const { spawn, spawnSync } = builtin("child_process");
    const args = ["-c", `flock -n 3 && echo '${PROVABLE}' >&3`];
    const stdio = ["ignore", "ignore", "ignore", fd] as ("ignore" | number)[];
    const env = { PATH: SYSTEM_PATH };
    try {
      if (wait) spawnSync("/bin/sh", args, { stdio, env, timeout: HELPED_WITHIN, killSignal: "SIGKILL" });
      else
        spawn("/bin/sh", args, { stdio, env })
          .once("error", () => {})
          .unref();
    } catch {
      // Node's permission model forbids it. The pid alone tells then whether the holder lives.
    }
  }

  /**
   * Says since when this thread waits for the lock, by the file's time of modification, and that nobody has told it of its turn.
   *
   * @param since in milliseconds since 1970
   */
  markWaiting(since: number): void {
    this.#isMarkedIdle = false;
    // Node's permission model has no futimes(2): the file's own time is as good.
    this.#setTimes(0, since);
  }

  /** Whether somebody has told this thread of its turn since it was marked as waiting. */
  get wasTold(): boolean {
    return (statOf(this.path)?.atimeMs ?? 0) > 0;
  }

  /** Says that this thread neither holds the lock nor waits for it. */
  markIdle(): void {
    if (this.#isMarkedIdle) return;
    this.#isMarkedIdle = true;
    this.#setTimes(FAR_FUTURE, timeOfDay()); // where it cannot, it is woken in vain
  }

  /**
   * @param toldAt in seconds since 1970
   * @param since in milliseconds since then
   */
  #setTimes(toldAt: number, since: number): void {
    const fd = this.#ownFd();
    if (fd === undefined) return;
    try {
      fs.futimesSync(fd, toldAt, since / 1_000);
    } catch {
      // They stay as they are.
    }
  }

  /** Returns the descriptor; none where it has become another file's: a program may close all that it knows nothing of. */
  #ownFd(): number | undefined {
    if (this.#open?.stats() === undefined) this.#open = undefined;
    return this.#open?.fd;
  }

  /** Removes the file, unless another one is in its place. Ends the kernel lock, too. */
  remove(): void {
    try {
      if (isSameFile(statOf(this.path), this)) unlinked(this.path);
    } finally {
      this.close();
    }
  }

  /** Ends the kernel lock, and leaves the file: where that lock is held the system lets nobody remove it by its name. */
  close(): void {
    this.#open?.close();
    this.#open = undefined;
    for (const file of this.#deleted.splice(0)) file.close();
    this.#life?.release();
  }
}

function allowReading(fd: number): void {
  try {
    fs.fchmodSync(fd, 0o644);
  } catch (error) {
    // Node's permission model has no fchmod(2): the umask decides then.
    if ((error as NodeJS.ErrnoException).code !== "ERR_ACCESS_DENIED") throw error;
  }
}

function identityOf(directory: string): readonly [number, number] {
  const stats = fs.statSync(directory, { throwIfNoEntry: false });
  return stats === undefined ? [0, 0] : [stats.dev, stats.ino];
}
