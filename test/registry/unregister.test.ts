// What takes registrations away by function, or all at once, and what counts them.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { clear, count, type Registration, register, run, unregister } from "../../src/index.ts";
import { pending } from "../support/pending.ts";

afterEach(() => clear());

describe("unregister()", () => {
  it("removes every registration of the function, also with options, and keeps the others in order", () => {
    const calls: string[] = [];
    const kept = (name: string) => void calls.push(name);
    const removed = (_: number) => void calls.push("removed");
    register(removed, 1);
    register(kept, "a");
    register({ name: "named" }, removed, 2);
    register(kept, "b");
    register(removed, 3);
    assert.equal(unregister(removed), undefined);
    assert.equal(count(), 2);
    run();
    assert.deepEqual(calls, ["b", "a"]);
  });

  it("does not mind a function that was never registered, or is not any more", () => {
    const cleanup = () => {};
    unregister(cleanup);
    register(cleanup);
    unregister(cleanup);
    unregister(cleanup);
    assert.equal(count(), 0);
  });

  it("does not keep the function from being registered again", () => {
    let calls = 0;
    const cleanup = () => {
      calls += 1;
    };
    register(cleanup);
    unregister(cleanup);
    register(cleanup);
    run();
    assert.equal(calls, 1);
  });

  it("lets a run that has begun go on", async () => {
    const { cleanup, resolve } = pending<string>();
    const ended = register(cleanup).run();
    unregister(cleanup);
    resolve("done");
    assert.equal(await ended, "done");
  });

  it("agrees with a plain list, whatever is registered, unregistered, cancelled, run and cleared in between", () => {
    let state = 20260729;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    let called: string[] = [];
    const cleanups = [0, 1, 2, 3].map((which) => (n: number) => void called.push(`${which}:${n}`));
    let list: { which: number; n: number; handle: Registration<void> }[] = [];
    const pick = () => list[random(list.length)];
    for (let n = 0; n < 20_000; n += 1) {
      const which = random(cleanups.length);
      const cleanup = cleanups[which];
      assert.ok(cleanup);
      const action = random(100);
      if (action < 60) list.push({ which, n, handle: register(cleanup, n) });
      else if (action < 75) {
        const one = pick();
        assert.equal(one?.handle.cancel() ?? true, true);
        list = list.filter((other) => other !== one);
      } else if (action < 85) {
        const one = pick();
        called = [];
        one?.handle.run();
        assert.deepEqual(called, one === undefined ? [] : [`${one.which}:${one.n}`]);
        list = list.filter((other) => other !== one);
      } else if (action < 97) {
        unregister(cleanup);
        list = list.filter((other) => other.which !== which);
      } else {
        const expected = list.map((one) => `${one.which}:${one.n}`).reverse();
        called = [];
        if (action === 97) clear();
        else run();
        assert.deepEqual(called, action === 97 ? [] : expected);
        list = [];
      }
      assert.equal(count(), list.length);
    }
  });
});

describe("clear() and count()", () => {
  it("clear() cancels all that has not begun", async () => {
    const { cleanup, resolve, calls } = pending<void>();
    const ended = register(cleanup).run();
    for (let n = 0; n < 3; n += 1) register(cleanup);
    assert.equal(clear(), undefined);
    assert.equal(count(), 0);
    resolve();
    await ended;
    await run();
    assert.equal(calls(), 1);
  });

  it("count() counts what is registered and has not begun", async () => {
    const { cleanup, resolve } = pending<void>();
    assert.equal(count(), 0);
    const handle = register(cleanup);
    register(cleanup);
    assert.equal(count(), 2);
    const ended = handle.run();
    assert.equal(count(), 1);
    resolve();
    await ended;
    assert.equal(count(), 1);
  });
});
