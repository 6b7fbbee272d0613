// Wall clocks that are wrong, by Debian's libfaketime: monotonic clocks go on as they are.

import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Provided, reasonOf, unpackPackages } from "../../support/debian.ts";
import { noteMissing } from "../../support/missing.ts";
import { librariesIn } from "../../support/servers.ts";

export function provideWallClock(): Provided {
  try {
    const directory = unpackPackages("faketime", ["libfaketime"]);
    const library = librariesIn(join(directory, "usr/lib")).split(":")[0] as string;
    return { command: join(library, "faketime/libfaketimeMT.so.1"), env: {} };
  } catch (error) {
    return { missing: noteMissing("libfaketime", reasonOf(error)) };
  }
}

/** A clock for one process, which can be put forward and back. */
export class WallClock {
  readonly env: NodeJS.ProcessEnv;
  readonly #directory = mkdtempSync(join(tmpdir(), "atexit-clock-"));
  readonly #file = join(this.#directory, "offset");

  constructor({ command }: Exclude<Provided, { missing: string }>) {
    this.env = {
      LD_PRELOAD: command,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
    chmodSync(this.#directory, 0o755); // the process may be another user's
    this.set(0);
  }

  /** @param hours - by which it is ahead of the true time */
  set(hours: number): void {
    writeFileSync(`${this.#file}.new`, `${hours < 0 ? "" : "+"}${hours * 3_600}\n`, { mode: 0o644 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
