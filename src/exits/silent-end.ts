// Where a host ends its process and tells nobody, that is said at the first
// registration: silence would look as if all had been cleaned up.

import { report } from "../diagnostics/stderr.ts";
import { silentRunner } from "../platform/silent-runner.ts";
import type { ExitHandler } from "./exit-handler.ts";

export function silentEnd(): ExitHandler {
  let isChecked = false;
  return {
    install() {
      if (isChecked) return;
      isChecked = true;
      const runner = silentRunner();
      if (runner === undefined) return;
      const how = runner === "deno test" ? "Deno.test.afterAll(run)" : "afterAll(run)";
      report(`\`${runner}\` ends without a word to cleanups, and runs them only where a test file calls ${how}`);
    },
  };
}
