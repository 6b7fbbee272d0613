// Command lines: those that make no sense, and words as a shell has them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { atexit, inPlace } from "../support/place.ts";

describe("command lines that make no sense end with 2, say what does, and do nothing", () => {
  for (const [args, said] of [
    [["run"], /needs a command/],
    [["run", "--rm"], /--rm/],
    [["run", "--nothing", "--", "true"], /--nothing/],
    [["run", "--grace", "soon", "--", "true"], /takes a time such as 500ms, 10s or 1\.5m/],
    [["run", "--on-exit", "echo 'open", "--", "true"], /a quote that is not closed/],
    [["run", "--on-exit", " ", "--", "true"], /takes a command/],
    [["run", "--temp-dir", "A=B", "--", "true"], /the name of a variable/],
    [["run", "--rm", "/", "--", "true"], /the root directory/],
    [["frobnicate"], /There is no command frobnicate: run, ps/],
    [["ps", "something"], /What is something to mean here/],
    [["log", "--lines", "none"], /--lines takes a number/],
    [["completion", "tcsh"], /takes one of bash, zsh, fish/],
  ] as const) {
    test(args.join(" "), () =>
      inPlace(async (place) => {
        const { code, stdout, stderr } = await atexit(place, args);
        assert.deepEqual([code, stdout], [2, ""], stderr);
        assert.match(stderr, said);
        assert.match(stderr, /^atexit: /);
        assert.ok(!stderr.includes("    at "), "no trace");
      }),
    );
  }
});

test("words as a shell has them, and nothing else of it", () =>
  inPlace(async (place) => {
    const text = String.raw`printf <%s> a 'b c' "d \"e\" $HOME" f\ g '' h"i"'j' * ${"`id`"} ;`;
    const { stdout } = await atexit(place, ["run", "--on-exit", text, "--", "true"]);
    assert.equal(stdout, '<a><b c><d "e" $HOME><f g><><hij><*><`id`><;>');
  }));
