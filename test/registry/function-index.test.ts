// The index of a stack by function, without a process.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IndexByFunction } from "../../src/registry/function-index.ts";
import { type AnyFunction, type Entry, Stack } from "../../src/registry/stack.ts";

/** A stack that has an index. */
function indexed(): { stack: Stack<Entry>; index: IndexByFunction<Entry>; push(fn: AnyFunction): Entry } {
  const stack = new Stack<Entry>({ filled: () => {}, emptied: () => {} });
  const index = new IndexByFunction(stack);
  stack.index = index;
  const push = (fn: AnyFunction) => {
    const entry: Entry = { older: undefined, newer: undefined, fn };
    stack.push(entry);
    return entry;
  };
  return { stack, index, push };
}

const one = () => {};
const other = () => {};

describe("an index by function", () => {
  it("has the entries of a function, newest first, and none of another", () => {
    const { index, push } = indexed();
    const entries = [push(one), push(other), push(one)];
    assert.deepEqual(index.of(one), [entries[2], entries[0]]);
    assert.deepEqual(index.of(other), [entries[1]]);
    assert.deepEqual(
      index.of(() => {}),
      [],
    );
  });

  it("has entries that were pushed since the last question", () => {
    const { index, push } = indexed();
    const first = push(one);
    assert.deepEqual(index.of(one), [first]);
    const second = push(one);
    assert.deepEqual(index.of(one), [second, first]);
  });

  it("has no entry that was taken out, whether it was indexed before or not", () => {
    const { stack, index, push } = indexed();
    const [first, second] = [push(one), push(one)];
    stack.remove(second);
    assert.deepEqual(index.of(one), [first]);
    const third = push(one);
    stack.remove(first);
    stack.remove(third);
    assert.deepEqual(index.of(one), []);
    const fourth = push(one);
    assert.deepEqual(index.of(one), [fourth]);
  });

  it("agrees with a search of the stack, whatever is pushed, taken out and asked for", () => {
    let state = 20260730;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const functions = [one, other, () => {}];
    const { stack, index, push } = indexed();
    let entries: Entry[] = [];
    for (let n = 0; n < 5_000; n += 1) {
      const fn = functions[random(functions.length)] as AnyFunction;
      const action = random(10);
      if (action < 5) entries.unshift(push(fn));
      else if (action < 8) {
        const [gone] = entries.splice(random(entries.length), 1);
        if (gone !== undefined) stack.remove(gone);
      } else {
        assert.deepEqual(
          index.of(fn),
          entries.filter((entry) => entry.fn === fn),
        );
      }
      if (entries.length > 40) {
        for (const entry of entries) stack.remove(entry);
        entries = [];
      }
    }
  });
});
