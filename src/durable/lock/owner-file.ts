// The owner file, which says who holds a lock. It is written once, under a name
// of its own beside the lock, and becomes the lock by link(2), which succeeds
// for one of all contenders and shows a half-written file to none.
//
//   <lock>                        a second name of its holder's owner file
//   <lock>.<token>                an owner file: of a holder, or of a contender
//   <lock>.<token>.break-<k>      the process that takes the lock from that dead owner

import { builtin } from "../../platform/node-builtins.ts";
import { lifeOfNamed, newToken, parseToken } from "../journal/file-name.ts";
import { type Life, lifeOf, type Owner, thisOwner, thisProcess } from "../../platform/process-identity.ts";
import type { JsonValue } from "../json-value.ts";

/** The first line of an owner file. */
export interface LockRecord {
  readonly atexit: 1;
  /** Unique: no two owners, and no two starts of one, have the same. */
  readonly token: string;
  readonly owner: Owner;
  /** The owner's command line, for people. */
  readonly program: string;
  readonly host: string;
  /** The directory of the owner's recipes: the lock is free when they have been carried out. */
  readonly journals: string;
  /** Device and inode of that directory: elsewhere its path may mean another one. */
  readonly journalsAre: readonly [dev: number, ino: number];
  /** The data that the program shows to others. */
  readonly data?: JsonValue;
}

/** The known facts about a lock's holder; there may be none. */
export interface LockHolder {
  readonly token: string | undefined;
  readonly record: LockRecord | undefined;
  /** Since when the holder has the lock. */
  readonly since: Date;
  readonly uid: number;
  /** Whether a kernel lock tells that the holder lives. */
  readonly isProvable: boolean;
}

/** How much of a lock file is read, in bytes. */
const LONGEST = 256 * 1024;

/** The line that is appended when the kernel lock is there. */
const PROVABLE = '{"locked":true}';

const fs = builtin("fs");

/** The owner file of this thread for one lock. */
export class OwnerFile {
  readonly path: string;
  readonly token: string;
  readonly dev: number;
  readonly ino: number;
  readonly #fd: number;
  #isProved = false;

  /** @throws the system's error; then nothing is left of it */
  constructor(lock: string, token: string, journals: string, data?: JsonValue) {
    const record: LockRecord = {
      atexit: 1,
      token,
      owner: thisOwner(),
      program: [process.execPath, ...process.argv.slice(1)].join(" ").slice(0, 1_000),
      host: builtin("os").hostname(),
      journals,
      journalsAre: identityOf(journals),
      ...(data === undefined ? {} : { data }),
    };
    this.path = ownerPath(lock, token);
    this.token = token;
    // All users may read who holds the lock.
    this.#fd = fs.openSync(this.path, "ax", 0o644);
    try {
      fs.writeFileSync(this.#fd, `${JSON.stringify(record)}\n`);
      ({ dev: this.dev, ino: this.ino } = fs.fstatSync(this.#fd));
    } catch (error) {
      this.remove();
      throw error;
    }
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
    if (process.platform === "win32" || (this.#isProved && !wait)) return;
    this.#isProved = true;
    const { spawn, spawnSync } = builtin("child_process");
    const args = ["-c", `flock -n 3 && echo '${PROVABLE}' >&3`];
    const stdio = ["ignore", "ignore", "ignore", this.#fd] as ("ignore" | number)[];
    try {
      if (wait) spawnSync("/bin/sh", args, { stdio });
      else
        spawn("/bin/sh", args, { stdio })
          .once("error", () => {})
          .unref();
    } catch {
      // Node's permission model forbids it. The pid alone tells then whether the holder lives.
    }
  }

  remove(): void {
    fs.rmSync(this.path, { force: true });
    this.close();
  }

  /** Ends the kernel lock, too. */
  close(): void {
    fs.closeSync(this.#fd);
  }
}

function identityOf(directory: string): readonly [number, number] {
  const stats = fs.statSync(directory, { throwIfNoEntry: false });
  return stats === undefined ? [0, 0] : [stats.dev, stats.ino];
}

/** Returns the directory of a holder's recipes, if its path means the same directory here. */
export function journalsOf({ journals, journalsAre }: LockRecord): string | undefined {
  const [dev, ino] = identityOf(journals);
  return ino !== 0 && ino === journalsAre?.[1] && dev === journalsAre[0] ? journals : undefined;
}

export function ownerPath(lock: string, token: string): string {
  return `${lock}.${token}`;
}

export { newToken };

/** Returns the holder of a lock, or `undefined` where the lock is free. */
export function holderOf(lock: string): LockHolder | undefined {
  let fd: number;
  try {
    fd = fs.openSync(lock, "r");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code !== "EACCES") throw error;
    const stats = fs.lstatSync(lock, { throwIfNoEntry: false });
    return stats && { token: undefined, record: undefined, since: stats.ctime, uid: stats.uid, isProvable: false };
  }
  try {
    const stats = fs.fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(stats.size, LONGEST));
    const [first = "", second = ""] = buffer
      .toString("utf8", 0, fs.readSync(fd, buffer, 0, buffer.length, 0))
      .split("\n");
    const record = parseRecord(first);
    const token = record?.token ?? tokenByInode(lock, stats);
    // The holder has released the lock between the open and the read, and left nothing to tell it by.
    if (token === undefined && !isStill(lock, stats)) return holderOf(lock);
    return {
      token,
      record,
      since: stats.ctime, // link(2) sets it
      uid: stats.uid,
      isProvable: record !== undefined && second === PROVABLE,
    };
  } finally {
    fs.closeSync(fd);
  }
}

function isStill(path: string, { dev, ino }: import("node:fs").Stats): boolean {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.dev === dev && stats.ino === ino;
}

/** Returns the token in the second name of a lock file, which a file that was overwritten by hand still has. */
function tokenByInode(lock: string, { dev, ino, nlink }: import("node:fs").Stats): string | undefined {
  if (nlink < 2) return undefined;
  const { basename, dirname, join } = builtin("path");
  const directory = dirname(lock);
  const prefix = `${basename(lock)}.`;
  return fs
    .readdirSync(directory)
    .filter((file) => file.startsWith(prefix) && parseToken(file.slice(prefix.length)) !== undefined)
    .find((file) => {
      const stats = fs.lstatSync(join(directory, file), { throwIfNoEntry: false });
      return stats?.dev === dev && stats.ino === ino;
    })
    ?.slice(prefix.length);
}

function parseRecord(line: string): LockRecord | undefined {
  try {
    const record = JSON.parse(line) as LockRecord;
    const { owner, token } = record;
    const isWhole =
      record.atexit === 1 &&
      parseToken(token) !== undefined &&
      typeof owner === "object" &&
      Number.isInteger(owner.pid) &&
      [owner.start, owner.boot, owner.pidns].every((part) => typeof part === "string");
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Reports whether a holder lives, by the strongest evidence that there is. "unknown" is never "dead". */
export function lifeOfHolder(lock: string, { record, token, isProvable }: LockHolder): Life {
  if (record === undefined) {
    const named = token === undefined ? undefined : parseToken(token);
    return named === undefined ? "unknown" : lifeOfNamed(named);
  }
  const life = lifeOf(record.owner, isLocal(lock));
  if (life !== "unknown") return life;
  const me = thisProcess();
  if (record.owner.boot !== me.boot) return isLocal(lock) ? "dead" : "unknown";
  return isProvable && isUnlocked(lock) ? "dead" : "unknown";
}

/** Reports whether this kernel's lock is free. Across a network, file systems differ in what they tell. */
function isUnlocked(lock: string): boolean {
  let fd: number;
  try {
    fd = fs.openSync(lock, "r");
  } catch {
    return false;
  }
  try {
    const stdio = ["ignore", "ignore", "ignore", fd] as ("ignore" | number)[];
    return builtin("child_process").spawnSync("flock", ["-n", "-s", "3"], { stdio }).status === 0;
  } catch {
    return false;
  } finally {
    fs.closeSync(fd);
  }
}

/** ext2 to 4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS. Source: statfs(2). */
const LOCAL_FILE_SYSTEMS = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1]);

/** Reports whether only this system mounts the file system: an owner of another boot is then of an earlier boot. */
function isLocal(path: string): boolean {
  try {
    return process.platform === "linux" && LOCAL_FILE_SYSTEMS.has(fs.statfsSync(builtin("path").dirname(path)).type);
  } catch {
    return false;
  }
}
