// Journals that a test writes itself.

import { lstatSync, writeFileSync } from "node:fs";

/** Writes what an owner has written into a file of its own, as if it had written it there. */
export function writeJournal(path: string, text: string): void {
  writeFileSync(path, "", { mode: 0o600 });
  const { dev, ino, birthtimeMs } = lstatSync(path);
  const [header = "", ...lines] = text.split("\n");
  const own = { ...(JSON.parse(header) as object), file: [dev, ino, birthtimeMs] };
  writeFileSync(path, [JSON.stringify(own), ...lines].join("\n"));
}
