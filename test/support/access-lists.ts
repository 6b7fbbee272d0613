// The program that sets access lists, from Debian's packages.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { reasonOf, unpackPackages } from "./debian.ts";
import { run } from "./run.ts";

/** Lets a user write into a directory by an access list. @returns why that cannot be had */
export async function letWrite(uid: number, path: string): Promise<string | undefined> {
  let directory: string;
  try {
    directory = unpackPackages("acl", ["acl"]);
  } catch (error) {
    return reasonOf(error);
  }
  const program = ["bin", "usr/bin"].map((at) => join(directory, at, "setfacl")).find(existsSync) ?? "";
  const { code, stderr } = await run(program, ["-m", `u:${uid}:rwx`, path]);
  return code === 0 ? undefined : stderr;
}
