// Windows: the processes there are, and their end. Node has neither; PowerShell tells a
// process's parent and when it began, and can hold it while it looks, so that its pid is
// nobody else's. Not run on a real Windows so far.

import { ask, askLater } from "./powershell.ts";
import type { Process } from "./system.ts";

/** The line that says that the list is whole. */
const END = "end";

/**
 * A line for each process: pid, parent, creation as a FILETIME (in 100 ns since 1601),
 * and 1 for a guard or another helper of this package.
 */
const LIST = `
$ErrorActionPreference = 'Stop'
Get-CimInstance -ClassName Win32_Process -Property ProcessId, ParentProcessId, CreationDate, CommandLine | ForEach-Object {
  if ($_.CreationDate) {
    $isHelper = [int]($_.CommandLine -match 'atexit-helper\\.cjs|[\\\\/]helper-[0-9.]+-[0-9a-f]{12}\\.cjs')
    '{0} {1} {2} {3}' -f $_.ProcessId, $_.ParentProcessId, $_.CreationDate.ToFileTimeUtc(), $isHelper
  }
}
'${END}'`;

/** Ends those that are still what they were: the open handle keeps the pid from others. CreationDate counts in microseconds. */
const endScript = (processes: readonly Process[]) => `
foreach ($each in ${processes.map(({ pid, start }) => `'${pid} ${start}'`).join(", ")}) {
  $id, $start = $each.Split(' ')
  try {
    $process = [Diagnostics.Process]::GetProcessById([int]$id)
    $handle = $process.Handle
    if ([Math]::Abs($process.StartTime.ToFileTimeUtc() - [int64]$start) -lt 20) { $process.Kill() }
  } catch { }
}`;

/** Lists the processes that are alive. Blocks. @throws an error where they cannot be listed */
export function listProcesses(): Process[] {
  return rowsIn(ask(LIST));
}

/**
 * Lists the processes that are alive.
 *
 * @param isIdle whether the program may end meanwhile
 * @throws (rejects with) an error where they cannot be listed
 */
export async function processesLater(isIdle = false): Promise<Process[]> {
  return rowsIn(await askLater(LIST, isIdle));
}

/** Ends processes, each where it is still the one that was found. */
export async function endProcesses(processes: readonly Process[]): Promise<void> {
  await askLater(endScript(processes));
}

/** @throws an error where the list is not whole */
export function rowsIn(list: string): Process[] {
  const lines = list.split(/\r?\n/).filter((line) => line !== "");
  if (lines.pop() !== END) throw new Error("PowerShell does not tell which processes there are");
  return lines.flatMap((line) => {
    const [, pid, ppid, start, isHelper] = /^(\d+) (\d+) (\d+) ([01])$/.exec(line) ?? [];
    if (pid === undefined || start === undefined) return [];
    const none = { group: 0, session: 0, state: "?" };
    return [{ pid: Number(pid), ppid: Number(ppid), start, ...none, isHelper: isHelper === "1" }];
  });
}

/** From 1601, where a FILETIME begins, to 1970, in milliseconds. */
const UNTIL_1970 = 11_644_473_600_000;

function fileTime(time: number): number {
  return (time + UNTIL_1970) * 10_000;
}

/** Returns what a start is known to be that lies between two times, in milliseconds since 1970. */
export function startBetween(from: number, to: number): string {
  return `${fileTime(from)}..${fileTime(to)}`;
}

/** Reports whether two starts are of one process, of which one may be known only to lie between two times. */
export function isSameStart(one: string, other: string): boolean {
  if (one === other) return true;
  const [range, start] = one.includes("..") ? [one, other] : [other, one];
  const [from, to] = range.split("..").map(Number);
  return from !== undefined && to !== undefined && from <= Number(start) && Number(start) <= to;
}
