// The command line of a batch file: no percent sign in an argument names a variable. What
// cmd.exe does with carets and quotes, test/systems/command.test.ts sees it do; its
// expansion of variables is modelled here, since Wine's is another.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandLineOf } from "../../src/platform/windows-command.ts";
import { withDirectory } from "../support/run.ts";

const VARIABLES: Readonly<Record<string, string>> = { CD: "C:\\work", PATH: "C:\\bin", CMDCMDLINE: 'cmd /c "x"' };

/**
 * Expands a line as cmd.exe does that was given it with /c: a sign that begins no known
 * variable stays. Source: Microsoft's documentation of `set`, with command extensions.
 */
function expanded(line: string): string {
  let text = "";
  for (let at = 0; at < line.length; at += 1) {
    const [whole = "", name = "", how = ""] = /^%([^%:]+)(:[^%]+)?%/.exec(line.slice(at)) ?? [];
    const value = VARIABLES[name.toUpperCase()];
    text += value === undefined ? line.charAt(at) : changed(value, how);
    if (value !== undefined) at += whole.length - 1;
  }
  return text;
}

function changed(value: string, how: string): string {
  if (how === "") return value;
  const [, from, to = ""] = how.split(",", 1)[0]?.startsWith(":~") ? (/^:~([^,]*),?(.*)$/.exec(how) ?? []) : [];
  // Numbers end where no digit follows; none is nought.
  if (from !== undefined)
    return value
      .slice(Number.parseInt(from, 10) || 0)
      .slice(0, Number.parseInt(to, 10) || (how.includes(",") ? 0 : undefined));
  const [what = "", instead = ""] = how.slice(1).split("=");
  return value.replaceAll(what, instead);
}

const HARD = [
  "100%",
  "%PATH%",
  "%PATH:~0,5%",
  "%PATH:C=D%",
  "%PATH:~1",
  "%CMDCMDLINE:~-1%&calc",
  "%%PATH%%",
  "%",
  "a%b c%d%",
];

test("the model expands what cmd.exe would", () => {
  assert.equal(expanded("%PATH% %NONE% 100% %%PATH%% %PATH:~0,2%"), "C:\\bin %NONE% 100% %C:\\bin% C:");
  assert.equal(expanded("^%PATH^% ^%PATH:~0,2^% ^%PATH:C=D^%"), "^%PATH^% ^C: ^D^:\\bin", "a caret alone does not do");
});

test("no percent sign in an argument of a batch file, or in its path, names a variable", () =>
  withDirectory(async (directory) => {
    for (const handsOn of ["%*", ""]) {
      const program = join(directory, "100%PATH%.cmd");
      writeFileSync(program, `@echo off\r\nnode x ${handsOn}\r\n`);
      const { file, args, isVerbatim } = commandLineOf(program, HARD, directory, {});
      assert.deepEqual([file, args.slice(0, -1), isVerbatim], ["cmd.exe", ["/d", "/e:on", "/v:off", "/s", "/c"], true]);
      // What is quoted by carets is so after the expansion, each argument for itself.
      const carets = (text: string, times: number): string =>
        times === 0 ? text : carets(text.replaceAll(/[()!^"<>&|]/g, "^$&"), times - 1);
      const quoted = HARD.map((argument) => carets(`"${argument}"`, handsOn === "" ? 1 : 2));
      assert.equal(expanded(args.at(-1) ?? ""), `""${program}" ${quoted.join(" ")}"`);
    }
  }));
