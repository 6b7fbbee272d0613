// Releases a lock: this process's own, or that of a dead owner.

import { durableError } from "../../errors/durable.ts";
import { builtin, now } from "../../platform/node-builtins.ts";
import { sleep } from "../../platform/wait.ts";
import { newToken } from "../journal/file-name.ts";
import { removeOwnerFile } from "../lock/holder.ts";
import { ownerPath, statOf } from "../lock/lock-path.ts";
import { OwnerFile } from "../lock/owner-file.ts";
import { breakLock, isHeldBy, isStillOf, letGo, sweep } from "../lock/protocol.ts";
import type { ReplayContext, Success } from "./recipe-kind.ts";
import type { UnlockRecipe } from "./recipe-kind.ts";

/** How long another process may take that is about to break the same lock, in milliseconds: it may be stopped. */
const BROKEN_WITHIN = 5_000;

export function releaseLock({ path, token }: UnlockRecipe, { isOwner }: ReplayContext): Success | Promise<Success> {
  if (!isOwner) return takeFromTheDead(path, token);
  const stats = statOf(ownerPath(path, token));
  if (stats === undefined) return "gone";
  const isHolder = stats.isFile() && isHeldBy(path, stats);
  if (isHolder) letGo(path, stats);
  removeOwnerFile(path, token, isHolder);
  return "done";
}

/** Takes the lock from its dead owner; contenders for the lock do the same at the same time. */
async function takeFromTheDead(lock: string, token: string): Promise<Success> {
  if (statOf(builtin("path").dirname(lock)) === undefined) return "gone";
  const wasHolder = isStillOf(lock, token);
  if (!wasHolder && statOf(ownerPath(lock, token)) === undefined) return "gone";
  if (wasHolder) await breakIt(lock, token);
  removeOwnerFile(lock, token);
  sweep(lock);
  return "done";
}

async function breakIt(lock: string, token: string): Promise<void> {
  const end = now() + BROKEN_WITHIN;
  const own = new OwnerFile(lock, newToken(), "");
  try {
    own.acquireKernelLock(true);
    while (breakLock(lock, token, own) === "busy") {
      if (now() > end) throw durableError("ERR_ATEXIT_STILL_THERE", lock, "another process is about to remove it");
      await sleep(5);
    }
  } finally {
    own.remove();
  }
}
