// Linux: the table of mounts. Source: proc_pid_mountinfo(5).

import { builtin } from "./node-builtins.ts";

/** A line of the table of mounts. */
export interface Mount {
  /** The device, as `major:minor`. */
  readonly device: string;
  /** Which directory of its file system is there. */
  readonly root: string;
  /** Where it is, as this process sees it. */
  readonly point: string;
  /** The kind of its file system: `ext4`, `proc`. */
  readonly type: string;
  /** The options of its file system. */
  readonly options: string;
}

/** Returns the table of mounts; `undefined` where it cannot be read. */
export function mountTable(): Mount[] | undefined {
  let table: string;
  try {
    table = builtin("fs").readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return undefined;
  }
  return table.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const [, , device, root, point] = fields;
    if (device === undefined || root === undefined || point === undefined) return [];
    const [type = "", , options = ""] = fields.slice(fields.indexOf("-") + 1);
    return [{ device, root, point: unescape(point), type, options: unescape(options) }];
  });
}

/** Returns a path of the table as it is: a space is written as \\040. */
function unescape(point: string): string {
  return point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
