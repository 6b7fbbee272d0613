// Releases a lock: this process's own, or that of a dead owner.

import { builtin, setTimeout } from "../../platform/node-builtins.ts";
import { holderOf, newToken, OwnerFile, ownerPath } from "../lock/owner-file.ts";
import { breakLock, letGo, sweep } from "../lock/protocol.ts";
import type { ReplayContext, Success } from "./recipe-kind.ts";
import type { UnlockRecipe } from "./recipe-kind.ts";

const fs = builtin("fs");

export function releaseLock({ path, token }: UnlockRecipe, { isOwner }: ReplayContext): Success | Promise<Success> {
  if (!isOwner) return takeFromTheDead(path, token);
  const own = ownerPath(path, token);
  const stats = fs.lstatSync(own, { throwIfNoEntry: false });
  if (stats === undefined) return "gone";
  letGo(path, stats);
  fs.rmSync(own, { force: true });
  return "done";
}

/** Takes the lock from its dead owner; contenders for the lock do the same at the same time. */
async function takeFromTheDead(lock: string, token: string): Promise<Success> {
  if (!fs.existsSync(builtin("path").dirname(lock))) return "gone";
  const theirs = fs.lstatSync(ownerPath(lock, token), { throwIfNoEntry: false });
  if (theirs === undefined && holderOf(lock)?.token !== token) return "gone";
  const own = new OwnerFile(lock, newToken(), "");
  try {
    own.acquireKernelLock(true);
    while (breakLock(lock, token, own) === "busy") await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    own.remove();
  }
  fs.rmSync(ownerPath(lock, token), { force: true });
  sweep(lock);
  return "done";
}
