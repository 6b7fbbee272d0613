// A bed that stands for macOS on Linux: nothing in /proc, a ps(1) as BSDs have it, no
// flock(1), kernel locks by open(2), APFS' times of birth, and a Node that says
// "darwin". It is not macOS: there is no kqueue, no APFS, no signal number of macOS in
// it, and no name that differs by case alone. As root, since it mounts.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../package-under-test.ts";

/**
 * What makes the bed, in namespaces of its own for mounts and pids: what is left in it
 * ends with it. The shell stays, and reaps orphans as launchd does. ps(1) is put where
 * the guard looks, too, and flock(1) away.
 */
const MAKE = `
mount -t proc proc "$MAC_LIKE_PROC" && mount -t tmpfs none /proc &&
mount --bind /dev/null /usr/bin/flock && mount -t tmpfs none /run && mkdir -p /run/current-system/sw/bin &&
cp "$MAC_LIKE_BIN/ps" /run/current-system/sw/bin/ps || exit 99
[ ! -e /usr/bin/ps ] || mount --bind "$MAC_LIKE_BIN/ps" /usr/bin/ps || exit 99
PATH=$MAC_LIKE_BIN:$PATH
node "$@"
exit $?`;

const UNSHARE = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=SIGKILL"];

/** Returns why there can be no such bed here, or `undefined`. */
export function whyNoBed(): string | undefined {
  if (process.platform !== "linux") return "it is a bed on Linux";
  if (process.getuid?.() !== 0) return "this is not root, who alone may mount";
  if (!existsSync("/usr/bin/flock")) return "there is no flock(1) to lock with";
  const { status } = spawnSync("unshare", [...UNSHARE, "mount", "-t", "tmpfs", "none", "/proc"]);
  return status === 0 ? undefined : "this container lets nobody mount";
}

/** Runs Node in the bed, in a directory that is empty at first, and waits for its end. */
export function runInBed(directory: string, args: readonly string[], limit: number): SpawnSyncReturns<string> {
  const files = join(repository, "test/support/mac-like");
  const bin = join(directory, "bin");
  const proc = join(directory, "proc");
  for (const path of [bin, proc]) mkdirSync(path);
  copyFileSync("/usr/bin/flock", join(directory, "flock"));
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  program("node", `exec '${process.execPath}' --require '${files}/preload.cjs' "$@"`);
  program("ps", `exec '${process.execPath}' '${files}/ps.cjs' "$@"`);
  return spawnSync("unshare", [...UNSHARE, "sh", "-c", MAKE, "sh", ...args], {
    cwd: repository,
    encoding: "utf8",
    timeout: limit,
    killSignal: "SIGKILL",
    maxBuffer: 64 * 1024 * 1024,
    env: {
      ...process.env,
      MAC_LIKE_BIN: bin,
      MAC_LIKE_NODE: join(bin, "node"),
      MAC_LIKE_FLOCK: join(directory, "flock"),
      MAC_LIKE_PROC: proc,
      NODE_TEST_CONTEXT: undefined,
      ATEXIT_DIR: undefined,
    },
  });
}
