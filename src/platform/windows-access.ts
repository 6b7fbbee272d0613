// Windows: whether only this user, the system and administrators write to a directory.
// Nothing of Node tells it. A directory in this user's own profile is taken for his own,
// as the system makes it so; of any other the access lists are read, by PowerShell, which
// takes most of a second. Not run on a real Windows so far.

import { builtin } from "./node-builtins.ts";
import { ask } from "./powershell.ts";
import { parseDescriptor, whoElseWrites } from "./security-descriptor.ts";

const fs = builtin("fs");

/** What separates paths in a variable: no path of Windows has it. */
const BETWEEN = "|";

/**
 * A line with this user's SID, and one for each directory with its owner and access list.
 * Of .NET, and not by Get-Acl: no module has to be found and loaded.
 */
const LOOK = `
$ErrorActionPreference = 'Stop'
[Security.Principal.WindowsIdentity]::GetCurrent().User.Value
foreach ($path in $env:ATEXIT_LOOK_AT.Split('${BETWEEN}')) {
  [IO.Directory]::GetAccessControl($path, 'Access, Owner').GetSecurityDescriptorSddlForm('Access, Owner')
}`;

const known = new Map<string, string | undefined>();

/** Returns why other accounts could write to a directory, or put another one in its place, or `undefined`. */
export function whyOpenToOthers(path: string): string | undefined {
  if (!known.has(path)) known.set(path, isInOwnProfile(path) ? undefined : whyOutsideOfProfile(path));
  return known.get(path);
}

function isInOwnProfile(path: string): boolean {
  const { dirname, isAbsolute, relative } = builtin("path");
  try {
    // Of the account, and not of the environment, which may tell of any directory.
    const profile = fs.realpathSync.native(builtin("os").userInfo().homedir);
    const way = relative(profile, fs.realpathSync.native(path));
    return dirname(profile) !== profile && way !== "" && !way.startsWith("..") && !isAbsolute(way);
  } catch {
    return false;
  }
}

function whyOutsideOfProfile(path: string): string | undefined {
  const { dirname } = builtin("path");
  const directories = withThoseAbove(path);
  // Who may put another link in the place of one, its target's list does not tell.
  const link = directories.find((each) => fs.lstatSync(each).isSymbolicLink());
  if (link !== undefined) return `${link} is a link`;
  const answer = ask(LOOK, { ATEXIT_LOOK_AT: directories.join(BETWEEN) });
  const [me = "", ...descriptors] = answer.split(/\r?\n/).filter((line) => line !== "");
  for (const [index, directory] of directories.entries()) {
    const descriptor = parseDescriptor(descriptors[index] ?? "");
    if (descriptor === undefined || !me.startsWith("S-"))
      return `it is not in your own profile, and PowerShell does not tell who may write to ${directory}`;
    const what = directory === path ? "itself" : dirname(directory) === directory ? "root" : "above";
    const who = whoElseWrites(descriptor, me, what);
    if (who !== undefined) return `${who} may ${what === "itself" ? "write to" : "replace what is in"} ${directory}`;
  }
  return undefined;
}

/** Lists a directory, and those that it is in, up to the root. */
function withThoseAbove(path: string): string[] {
  const above = builtin("path").dirname(path);
  return above === path ? [path] : [path, ...withThoseAbove(above)];
}
