// The stack alone, without a process: its order, its removals, and who is told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Entry, Stack } from "../../src/registry/stack.ts";

function entry(): Entry {
  return { older: undefined, newer: undefined, fn: () => {} };
}

/** A stack, and what its watcher has been told. */
function watched(): { stack: Stack<Entry>; told: string[] } {
  const told: string[] = [];
  const stack = new Stack<Entry>({ filled: () => told.push("filled"), emptied: () => told.push("emptied") });
  return { stack, told };
}

/** From the top down, and the same way back. */
function entriesOf(stack: Stack<Entry>): Entry[] {
  const down: Entry[] = [];
  for (let at = stack.newest; at !== undefined; at = at.older) down.push(at);
  const up: Entry[] = [];
  for (let at = down.at(-1); at !== undefined; at = at.newer) up.push(at);
  assert.deepEqual(up.reverse(), down);
  assert.equal(stack.size, down.length);
  return down;
}

describe("a stack", () => {
  it("has the newest entry on its top", () => {
    const { stack } = watched();
    const [first, second, third] = [entry(), entry(), entry()];
    assert.equal(stack.newest, undefined);
    for (const one of [first, second, third]) stack.push(one);
    assert.deepEqual(entriesOf(stack), [third, second, first]);
  });

  it("gives up an entry from wherever it is, and keeps the order of the others", () => {
    for (const [at, left] of [
      [0, [2, 1]],
      [1, [2, 0]],
      [2, [1, 0]],
    ] as const) {
      const { stack } = watched();
      const entries = [entry(), entry(), entry()];
      for (const one of entries) stack.push(one);
      assert.equal(stack.remove(entries[at] as Entry), true);
      assert.deepEqual(
        entriesOf(stack),
        left.map((index) => entries[index]),
      );
    }
  });

  it("gives an entry up once, and knows which ones it has", () => {
    const { stack } = watched();
    const [only, stranger] = [entry(), entry()];
    stack.push(only);
    assert.deepEqual([stack.has(only), stack.has(stranger)], [true, false]);
    assert.deepEqual([stack.remove(stranger), stack.remove(only), stack.remove(only)], [false, true, false]);
    assert.equal(stack.has(only), false);
    assert.deepEqual(entriesOf(stack), []);
  });

  it("takes an entry again that it has given up", () => {
    const { stack } = watched();
    const [first, second] = [entry(), entry()];
    stack.push(first);
    stack.push(second);
    stack.remove(first);
    stack.push(first);
    assert.deepEqual(entriesOf(stack), [first, second]);
  });

  it("tells its watcher when it stops being empty and when it is empty again, and nothing in between", () => {
    const { stack, told } = watched();
    const [first, second] = [entry(), entry()];
    stack.push(first);
    stack.push(second);
    assert.deepEqual(told, ["filled"]);
    stack.remove(first);
    assert.deepEqual(told, ["filled"]);
    stack.remove(second);
    stack.remove(second);
    assert.deepEqual(told, ["filled", "emptied"]);
    stack.push(first);
    assert.deepEqual(told, ["filled", "emptied", "filled"]);
  });

  it("tells its index before an entry is out, and of no entry that it does not have", () => {
    const { stack } = watched();
    const [first, second] = [entry(), entry()];
    stack.push(first);
    stack.push(second);
    const seen: [Entry, boolean][] = [];
    stack.index = { remove: (one) => seen.push([one, stack.has(one)]) };
    stack.remove(first);
    stack.remove(first);
    assert.deepEqual(seen, [[first, true]]);
  });
});
