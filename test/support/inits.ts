// tini and dumb-init, from Debian's packages.

import { join } from "node:path";
import { reasonOf, unpackPackages } from "./debian.ts";
import { noteMissing } from "./missing.ts";

/** The directory that both are in, or why there is none. */
export function provideInits(): { readonly directory: string } | { readonly missing: string } {
  try {
    return { directory: join(unpackPackages("inits", ["tini", "dumb-init"]), "usr/bin") };
  } catch (error) {
    return { missing: noteMissing("tini and dumb-init", reasonOf(error)) };
  }
}
