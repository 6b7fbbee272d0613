// A journal can make a process delete files and run commands. Whatever is not
// beyond doubt the user's own is refused and reported, and never carried out.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { VERSION } from "../../../src/durable/journal/format.ts";
import { writeJournal } from "../../support/journal.ts";
import { inPlace, type Place } from "../../support/place.ts";
import { linesOf } from "../../support/run.ts";

const notRoot = process.getuid?.() !== 0 && "needs root";

/** Leaves a journal whose recipes leave a trace, oldest first: 1, 2, 3. */
async function leaveJournal(place: Place): Promise<string> {
  const source = `
    import { exec } from "atexit/durable";
    for (const name of ["1", "2", "3"]) exec("/bin/sh", ["-c", 'echo "$1" >>"$2"', "sh", name, process.env.WORK + "/trace"]);
    process.kill(process.pid, "SIGKILL");`;
  await place.run(source, { env: { ATEXIT_GUARD: "off" } });
  const [name] = place.left() as [string];
  return join(place.journals, name);
}

interface Row {
  readonly name: string;
  readonly change: (journal: string, place: Place) => void;
  /** What is carried out all the same. */
  readonly trace?: readonly string[];
  /** Why the journal, or a line of it, is refused. */
  readonly why?: RegExp;
  readonly skip?: string | false;
}

const editing = (edit: (lines: string[]) => readonly string[]) => (journal: string) => {
  const lines = readFileSync(journal, "utf8").split("\n").slice(0, -1);
  writeFileSync(journal, `${edit(lines).join("\n")}\n`);
};

const rows: readonly Row[] = [
  { name: "one of one's own", change() {}, trace: ["3", "2", "1"] },
  {
    name: "another user's",
    change: (journal) => chownSync(journal, 65_534, 65_534),
    why: /belongs to another user \(uid 65534\)/,
    skip: notRoot,
  },
  {
    name: "one that others may read",
    change: (journal) => chmodSync(journal, 0o644),
    why: /others have access to it \(mode 0644\)/,
  },
  { name: "one that the group may write", change: (journal) => chmodSync(journal, 0o620), why: /mode 0620/ },
  {
    name: "one behind a link",
    change(journal, place) {
      renameSync(journal, join(place.work, "elsewhere"));
      symlinkSync(join(place.work, "elsewhere"), journal);
    },
    why: /symbolic link/,
  },
  {
    name: "one with a second name",
    change: (journal, place) => linkSync(journal, join(place.work, "second")),
    why: /has a second name/,
  },
  {
    name: "a directory with its name",
    change(journal) {
      rmSync(journal);
      mkdirSync(journal, { mode: 0o700 });
    },
    why: /no regular file|EISDIR/,
  },
  {
    name: "a named pipe with its name",
    change(journal) {
      rmSync(journal);
      execFileSync("mkfifo", ["-m", "600", journal]);
    },
    why: /no regular file/,
  },
  { name: "an empty one", change: (journal) => truncateSync(journal) },
  {
    name: "garbage",
    change: (journal) => writeFileSync(journal, Buffer.from("\x00\xff{[garbage\n\n\x01".repeat(100), "latin1")),
    why: /no header|begin with a header/,
  },
  { name: "a header alone, torn", change: (journal) => truncateSync(journal, 20) },
  { name: "recipes without a header", change: editing(([, ...recipes]) => recipes), why: /begin with a header/ },
  {
    name: "a header without an owner",
    change: editing(([, ...recipes]) => [`{"atexit":${VERSION}}`, ...recipes]),
    why: /header cannot be read/,
  },
  {
    name: "a newer version's",
    change: editing(([header = "", ...recipes]) => [header.replace('"atexit":1', '"atexit":2'), ...recipes]),
    why: /newer version/,
  },
  {
    name: "a torn last line",
    change: (journal) => truncateSync(journal, lstatSync(journal).size - 5),
    trace: ["2", "1"],
  },
  {
    name: "a torn line in the middle",
    change: editing(([header = "", one = "", two = "", three = ""]) => [header, one, two.slice(0, 30), three]),
    trace: ["3", "1"],
    why: /line 3 cannot be read/,
  },
  {
    name: "a line of a newer kind",
    change: editing(([header = "", one = "", two = "", three = ""]) => [
      header,
      one,
      two.replace('"do":"exec"', '"do":"brew"'),
      three,
    ]),
    trace: ["3", "1"],
    why: /line 3 is no recipe that this version knows/,
  },
  ...(
    [
      ["no arguments", ["args"], null],
      ["an argument that is a number", ["args"], [1]],
      ["no command", ["command"], 7],
      ["no time limit", ["timeout"], "x"],
      ["a name of Object.prototype as its kind", ["do"], "constructor"],
      ["a name that ends in NUL", ["command"], "/bin/sh\0"],
      ["an environment of numbers", ["env"], { A: 1 }],
    ] as const
  ).map(([name, [key], value]) => ({
    name: `a recipe with ${name}`,
    change: editing(([header = "", one = "", two = "", three = ""]) => [
      header,
      one,
      JSON.stringify({ ...JSON.parse(two), [key]: value }),
      three,
    ]),
    trace: ["3", "1"],
    why: /is no recipe that this version knows/,
  })),
  {
    name: "a relative path to remove",
    change: (journal, place) => {
      writeFileSync(join(place.work, "trace"), "");
      editing((lines) => [...lines, '{"id":9,"do":"remove","path":"../work/trace","in":[1,2,3],"is":0}'])(journal);
    },
    trace: ["3", "2", "1"],
    why: /is no recipe that this version knows/,
  },
  {
    name: "the root to remove, whatever it says to be",
    change: editing((lines) => {
      const { dev, ino, birthtimeMs } = lstatSync("/");
      return [
        ...lines,
        JSON.stringify({ id: 9, do: "remove", path: "/", in: [dev, ino, birthtimeMs], is: [dev, ino, birthtimeMs] }),
      ];
    }),
    trace: ["3", "2", "1"],
    why: /is the root directory/,
  },
  {
    name: "names that JavaScript has itself",
    change: editing((lines) => [
      ...lines,
      '{"__proto__":{"id":9},"do":"exec"}',
      '{"id":"__proto__","do":"exec"}',
      "[]",
      "null",
      "7",
    ]),
    trace: ["3", "2", "1"],
    why: /line 5 is no recipe/,
  },
  {
    name: "a gigabyte of nothing",
    change: (journal) => truncateSync(journal, 1024 ** 3),
    why: /longer than \d+ bytes/,
  },
  {
    name: "a line of a hundred megabytes",
    change(journal) {
      writeFileSync(journal, Buffer.alloc(100 * 1024 * 1024, "x"), { flag: "a" });
      writeFileSync(journal, "\n", { flag: "a" });
    },
    trace: ["3", "2", "1"],
    why: /line 5 is longer than/,
  },
];

describe("a journal", () => {
  for (const { name, change, trace = [], why, skip = false } of rows) {
    test(name, { skip }, () =>
      inPlace(async (place) => {
        const journal = await leaveJournal(place);
        change(journal, place);
        const replayed = await place.recover({ nodeOptions: ["--max-old-space-size=64"] });
        assert.deepEqual(linesOf(join(place.work, "trace")), trace, JSON.stringify(replayed));
        const refused = replayed.filter(({ outcome }) => outcome === "refused" || outcome === "left alone");
        if (why === undefined) assert.deepEqual(refused, []);
        else
          assert.ok(
            refused.some((row) => why.test(row.why ?? "")),
            JSON.stringify(replayed),
          );
        if (/newer version/.test(name)) {
          assert.ok(existsSync(journal), "it is left where it is, for that version");
        } else if (skip === false && !/another user/.test(name)) {
          const again = await place.recover();
          assert.deepEqual(again, [], "it is told once");
        }
      }),
    );
  }

  test("one that is refused does not keep another one from being carried out", () =>
    inPlace(async (place) => {
      const bad = await leaveJournal(place);
      const good = bad.replace(/[0-9a-f]{8}\.jsonl$/, "ffffffff.jsonl");
      writeJournal(good, readFileSync(bad, "utf8"));
      chmodSync(bad, 0o666);
      const replayed = await place.recover();
      assert.deepEqual(replayed.map(({ outcome }) => outcome).sort(), ["done", "done", "done", "refused"]);
      assert.deepEqual(linesOf(join(place.work, "trace")), ["3", "2", "1"]);
    }));

  test("a long one of one's own is carried out in bounded memory", () =>
    inPlace(async (place) => {
      const journal = await leaveJournal(place);
      const [header = "", one = ""] = readFileSync(journal, "utf8").split("\n");
      // 50 MB of recipes that are over already, but for one.
      const recipe = one.replace('"id":1', '"id":ID').replace('"1"', `"${"x".repeat(400)}"`);
      let text = `${header}\n${one}\n`;
      for (let id = 2; text.length < 50 * 1024 * 1024; id += 1)
        text += `${recipe.replace("ID", String(id))}\n{"done":${id}}\n`;
      writeFileSync(journal, text);
      const source = `
        import { recover } from "atexit/durable";
        await recover();
        console.log(process.resourceUsage().maxRSS);`;
      const { stdout, stderr } = await place.run(source, { nodeOptions: ["--max-old-space-size=24"] });
      assert.deepEqual(linesOf(join(place.work, "trace")), ["1"], stderr);
      assert.ok(Number(stdout) < 150 * 1024, `${stdout} KB`);
    }));
});
