// Makes the pictures of the documentation: of real shutdowns, as they are now.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

execNode("scripts/build.mjs");
mkdirSync("docs/pictures", { recursive: true });
const directory = mkdtempSync(join(tmpdir(), "atexit-pictures-"));
try {
  for (const how of ["good", "slow", "killed"]) {
    const trace = join(directory, `${how}.json`);
    spawnSync(process.execPath, ["examples/shutdowns.mjs", how], {
      env: { ...process.env, ATEXIT_TRACE: trace, ATEXIT_DIR: directory },
    });
    // What the guard does after a kill is part of the picture.
    while (spawnSync("pgrep", ["-f", directory]).status === 0);
    // Where the repository is on this machine is nobody's business.
    writeFileSync(trace, readFileSync(trace, "utf8").replaceAll(process.cwd(), "/app"));
    execNode("dist/cli.cjs", "report", trace, "-o", `docs/pictures/${how}.svg`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function execNode(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
