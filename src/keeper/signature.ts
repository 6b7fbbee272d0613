// Signatures of recipes, where others write to the same engine: a recipe that was
// planted by who does not know the secret, for another owner, or twice, has none
// that is right.

import { builtin } from "../platform/node-builtins.ts";

/** What is signed: planting for another owner, or again, does not verify. */
export interface Signed {
  readonly owner: string;
  readonly seq: number;
  readonly action: string;
  /** JSON text. */
  readonly args: string;
}

/** HMAC-SHA-256, as base64. */
export function signatureOf(secret: string, { owner, seq, action, args }: Signed): string {
  const text = JSON.stringify(["atexit recipe 1", owner, seq, action, args]);
  return builtin("crypto").createHmac("sha256", secret).update(text).digest("base64");
}

export function isSignedBy(secret: string, signed: Signed, signature: string | undefined): boolean {
  const right = Buffer.from(signatureOf(secret, signed));
  const given = Buffer.from(signature ?? "");
  return given.length === right.length && builtin("crypto").timingSafeEqual(given, right);
}
