// Lets a lock go: this process's own, or that of a dead owner.

import { builtin, setTimeout } from "../../builtin.js";
import { holderOf, newToken, OwnerFile, ownerPath } from "../locks/owner-file.js";
import { breakLock, letGo, sweep } from "../locks/protocol.js";
import type { Circumstances, Success } from "./recipe.js";
import type { UnlockRecipe } from "./unlock.js";

const fs = builtin("fs");

export default function unlock({ path, token }: UnlockRecipe, { isOwner }: Circumstances): Success | Promise<Success> {
  if (!isOwner) return takeFromTheDead(path, token);
  const own = ownerPath(path, token);
  const stats = fs.lstatSync(own, { throwIfNoEntry: false });
  if (stats === undefined) return "gone";
  letGo(path, stats);
  fs.rmSync(own, { force: true });
  return "done";
}

/** Beside contenders for the lock, who do the same. */
async function takeFromTheDead(lock: string, token: string): Promise<Success> {
  if (!fs.existsSync(builtin("path").dirname(lock))) return "gone";
  const theirs = fs.lstatSync(ownerPath(lock, token), { throwIfNoEntry: false });
  if (theirs === undefined && holderOf(lock)?.token !== token) return "gone";
  const own = new OwnerFile(lock, newToken(), "");
  try {
    own.prove(true);
    while (breakLock(lock, token, own) === "busy") await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    own.remove();
  }
  fs.rmSync(ownerPath(lock, token), { force: true });
  sweep(lock);
  return "done";
}
