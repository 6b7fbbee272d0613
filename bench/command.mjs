// The command around a command that does nothing.

import { lifetime } from "./measure.mjs";
import { inPlace } from "./durable.mjs";

const cli = new URL("../dist/cli.cjs", import.meta.url).pathname;

export const command = {
  name: "run",
  what: "`atexit run -- true`",
  peer: "`node -e 0`",
  unit: "ms",
  atMost: 1.3,
  rounds: 41,
  ours: ({ node }) => inPlace(() => lifetime(node, [cli, "run", "--", "true"], 0)),
  theirs: ({ node }) => inPlace(() => lifetime(node, ["-e", "0"], 0)),
};
