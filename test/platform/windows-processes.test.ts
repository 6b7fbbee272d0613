// What Windows tells of processes, as far as it can be tested without one: PowerShell's
// list is read, a tree is found in it, and starts are compared. The scripts themselves
// have not been run on a Windows so far; docs/platforms.md says so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { treeOf } from "../../src/platform/process-tree.ts";
import { isSameStart, rowsIn, startBetween } from "../../src/platform/windows-processes.ts";

/** FILETIMEs a minute apart. */
const at = (minute: number) => String(133_770_000_000_000_000n + BigInt(minute) * 600_000_000n);

const LIST = [
  `4 0 ${at(0)} 0`,
  `1000 4 ${at(10)} 0`, // the root
  `1004 1000 ${at(11)} 0`, // its child
  `1008 1004 ${at(12)} 0`, // and grandchild
  `1012 1000 ${at(5)} 0`, // a child of an earlier process that had the root's pid
  `1016 1000 ${at(13)} 1`, // a guard
  `1020 1016 ${at(14)} 0`, // and what that has started
  "end",
  "",
].join("\r\n");

test("a tree on Windows is the root's descendants: not those of an earlier owner of its pid, and no guards", () => {
  const all = new Map(rowsIn(LIST).map((row) => [row.pid, row]));
  assert.equal(all.size, 7);
  const { members } = treeOf({ pid: 1000, start: at(10), leads: false }, { all });
  assert.deepEqual(
    members.map(({ pid }) => pid),
    [1000, 1004, 1008],
  );
  const reused = treeOf({ pid: 1000, start: at(9), leads: false }, { all });
  assert.deepEqual(reused.members, []);
});

test("a list that is not whole is none", () => {
  for (const text of ["", LIST.replace("end", ""), LIST.slice(0, 40)]) assert.throws(() => rowsIn(text), /PowerShell/);
});

test("a start that is known to lie between two times is that of a process that began then", () => {
  const from = Date.UTC(2026, 10, 27, 12);
  const between = startBetween(from, from + 1_000);
  const began = (time: number) => String((BigInt(time) + 11_644_473_600_000n) * 10_000n);
  assert.ok(isSameStart(between, began(from + 500)));
  assert.ok(isSameStart(began(from + 500), between));
  assert.ok(!isSameStart(between, began(from + 2_000)), "its pid was given again");
  assert.ok(!isSameStart(between, began(from - 2_000)));
  assert.ok(!isSameStart(began(from), began(from + 1)));
});
