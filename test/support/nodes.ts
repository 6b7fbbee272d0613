// The versions of Node that whole-process tests run on. `npm test` provides
// them; ATEXIT_TEST_NODES=20,26 takes only some.

// @ts-expect-error a script without types
import { provideNodes } from "../../../scripts/nodes.mjs";

export interface NodeVersion {
  /** The release line: "20". */
  readonly line: string;
  /** Its executable. */
  readonly path: string;
}

const wanted = process.env["ATEXIT_TEST_NODES"]?.split(",");

export const nodes: readonly NodeVersion[] = (provideNodes() as NodeVersion[]).filter(
  ({ line }) => wanted === undefined || wanted.includes(line),
);

/** The one with the newest syntax. */
export const newest = nodes.at(-1) as NodeVersion;
