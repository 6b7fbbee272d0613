// A second Ctrl-C ends the process at once, by that signal; the same signal
// twice by one key press does not. On a terminal, a slow shutdown says what it
// is waiting for.

import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { runProgram } from "../support/program.ts";
import { printed, statusOf } from "../support/run.ts";

const SLOW = `
  import { register } from "atexit";
  const say = (text) => process.stdout.write(text + "\\n");
  register(() => say("below"));
  register({ name: "slow" }, async () => {
    say("begun");
    await new Promise((resolve) => setTimeout(resolve, 600));
    say("window open");
    await new Promise((resolve) => setTimeout(resolve, 20_000));
  });
  register(() => say("above"));
  process.on("exit", (code) => say("exit " + code));
`;

const STAY = "setTimeout(() => {}, 20_000); say('ready');";

const hasScript = spawnSync("script", ["--version"]).status === 0;

/** Interrupts the program, and sends the second signal when that counts as one of its own. */
async function interruptThen(child: ChildProcess, second: NodeJS.Signals): Promise<void> {
  const open = printed(child, "window open\n");
  await printed(child, "ready\n");
  child.kill("SIGINT");
  await open;
  child.kill(second);
}

describe("impatience", { concurrency: 2 }, () => {
  test("a second SIGINT ends the process at once, and `exit` is emitted", async () => {
    const ended = await runProgram(SLOW + STAY, {
      act: (child) => interruptThen(child, "SIGINT"),
    });
    assert.equal(ended.stdout, "ready\nabove\nbegun\nwindow open\nexit 130\n");
    assert.equal(statusOf(ended), "SIGINT");
  });

  test("the second signal is the one that ends it", async () => {
    const ended = await runProgram(SLOW + STAY, {
      act: (child) => interruptThen(child, "SIGTERM"),
    });
    assert.equal(statusOf(ended), "SIGTERM");
  });

  test("one signal during the shutdown that process.exit() began does not cut it", async () => {
    const ended = await runProgram(
      `${SLOW.replace("20_000", "100")} setTimeout(() => process.kill(process.pid, "SIGINT"), 20); process.exit(3);`,
    );
    assert.equal(ended.stdout, "above\nbegun\nwindow open\nbelow\nexit 3\n");
    assert.equal(statusOf(ended), "3");
  });

  test("a Ctrl-C ends what process.exit() began, when that takes long; another signal does not", async () => {
    const program = `${SLOW.replace("20_000", "300")} say("ready"); process.exit(3);`;
    const signalled = (signal: NodeJS.Signals) =>
      runProgram(program, {
        async act(child) {
          await printed(child, "window open\n");
          child.kill(signal);
        },
      });
    assert.equal(statusOf(await signalled("SIGINT")), "SIGINT");
    assert.equal(statusOf(await signalled("SIGTERM")), "3");
  });

  const OWN: Record<string, string> = {
    "calls process.exit() at once": "() => process.exit(9)",
    "ends the program's work": "() => clearTimeout(staying)",
    "calls process.exit() when its own work has ended":
      "() => new Promise((ended) => setTimeout(ended, 600)).then(() => process.exit(9))",
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    for (const [what, listener] of Object.entries(OWN)) {
      for (const add of ["on", "once"]) {
        test(`the first ${signal} counts where a listener of the program (${add}) ${what}`, async () => {
          const ended = await runProgram(
            `${SLOW.replace("600", "550")}
             const staying = setTimeout(() => {}, 20_000);
             process.${add}("${signal}", ${listener});
             say("ready");`,
            {
              async act(child) {
                const isBegun = printed(child, what.includes("own work") ? "begun\n" : "window open\n");
                await printed(child, "ready\n");
                child.kill(signal);
                await isBegun;
                child.kill(signal);
              },
            },
          );
          assert.equal(statusOf(ended), signal);
          assert.doesNotMatch(ended.stdout, /below/);
        });
      }
    }
  }

  test("a signal that the program took for something else long ago is no first press", async () => {
    const ended = await runProgram(
      `import { configure } from "atexit";
       configure({ grace: 1_000 });
       ${SLOW.replace("20_000", "1")}
       let over;
       const staying = setTimeout(() => {}, 20_000); // a listener keeps no program alive
       process.on("SIGUSR2", () => { clearTimeout(staying); say("rotated"); over ??= setTimeout(() => process.exit(3), 1_100); });
       say("ready");`,
      {
        async act(child) {
          const isBegun = printed(child, "begun\n");
          await printed(child, "ready\n");
          child.kill("SIGUSR2");
          await isBegun;
          child.kill("SIGUSR2");
        },
      },
    );
    assert.match(ended.stdout, /below/);
    assert.equal(statusOf(ended), "3");
  });

  test("onSecondSignal is called with the signal, and then it ends the process", async () => {
    const ended = await runProgram(
      `import { configure } from "atexit";
       configure({ onSecondSignal: (signal) => say("second " + signal) });
       ${SLOW + STAY}`,
      { act: (child) => interruptThen(child, "SIGTERM") },
    );
    assert.equal(ended.stdout, "ready\nabove\nbegun\nwindow open\nsecond SIGTERM\nexit 143\n");
    assert.equal(statusOf(ended), "SIGTERM");
  });

  test("onSecondSignal gives another status with exitNow(); one that throws changes nothing", async () => {
    const second = (body: string) =>
      runProgram(
        `import { configure, exitNow } from "atexit"; configure({ onSecondSignal: () => { ${body} } }); ${SLOW + STAY}`,
        { act: (child) => interruptThen(child, "SIGINT") },
      );
    const now = await second("exitNow(4);");
    assert.deepEqual([now.stdout.split("\n").at(-2), statusOf(now)], ["exit 4", "4"]);
    const thrown = await second('throw new Error("boom");');
    assert.match(thrown.stderr, /Error: boom/);
    assert.equal(statusOf(thrown), "SIGINT");
  });

  test("within doubledWithin milliseconds a second signal is the first one's; with 0 none is", async () => {
    const twice = (doubledWithin: number) =>
      runProgram(
        `import { configure } from "atexit"; configure({ doubledWithin: ${doubledWithin} });
         ${SLOW.replace("20_000", "1")} ${STAY}`,
        {
          async act(child) {
            const begun = printed(child, "begun\n");
            await printed(child, "ready\n");
            child.kill("SIGINT");
            await begun;
            child.kill("SIGINT");
          },
        },
      );
    assert.match((await twice(60_000)).stdout, /below/);
    assert.doesNotMatch((await twice(0)).stdout, /window open/);
  });

  test("exitNow() ends the process from anywhere, with no further cleanup, and its recipes are left", async () => {
    const ended = await runProgram(
      `import { exitNow } from "atexit";
       ${SLOW}
       setTimeout(() => { say("now"); exitNow(6); }, 50);
       process.exit(3);`,
    );
    assert.equal(ended.stdout, "above\nbegun\nnow\nexit 6\n");
    assert.equal(statusOf(ended), "6");
    const idle = await runProgram('import { exitNow } from "atexit"; process.exitCode = 5; exitNow();');
    assert.equal(statusOf(idle), "5");
  });

  test(
    "on a terminal a slow cleanup is named, and elsewhere it is not",
    {
      skip: !hasScript && "needs script(1)",
    },
    async () => {
      const program = SLOW.replace("20_000", "700");
      const quiet = await runProgram(program);
      assert.equal(quiet.stderr, "");
      const shown = await runProgram(
        `import { spawnSync } from "node:child_process";
         import { writeFileSync } from "node:fs";
         const file = new URL("inner.mjs", import.meta.url);
         writeFileSync(file, ${JSON.stringify(program)});
         const command = [process.execPath, file.pathname].join(" ");
         process.stdout.write(spawnSync("script", ["-qec", command, "/dev/null"], { stdio: ["ignore", "pipe", "inherit"] }).stdout);`,
      );
      assert.match(shown.stdout, /waiting for cleanup "slow", at most \d+ s more; Ctrl-C ends the process at once/);
    },
  );
});
