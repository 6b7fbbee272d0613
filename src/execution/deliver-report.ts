// Hands a report to who wants it: the program, or else standard error.

import { report as reportOnStderr } from "../diagnostics/stderr.ts";
import type { CleanupReport, Settings } from "../settings/settings.ts";
import { withTimeLimit } from "./time-limit.ts";

/** How long the program's own function may block, in milliseconds. */
const REPORTED_WITHIN = 1_000;

/** Delivers a report. Never throws: the shutdown goes on as if nobody had listened. */
export function deliver({ report }: Pick<Settings, "report">, about: CleanupReport): void {
  const toStderr = () => reportOnStderr(about.text);
  let isDelivered = false;
  const tell = () => {
    try {
      Promise.resolve(report?.(about)).catch(toStderr);
      isDelivered = true;
    } catch {
      // It goes to stderr instead.
    }
  };
  if (report !== undefined) withTimeLimit(REPORTED_WITHIN, tell);
  if (!isDelivered) toStderr();
}
