// Locks and temporary files, beside the libraries that they replace.

import { inPlace } from "./durable.mjs";
import { printed } from "./measure.mjs";

const row = ({ program: name, args = [], peer: [peerName, ...peerArgs], ...about }) => ({
  ...about,
  peer: peerName,
  ours: ({ node, program }) => inPlace(() => printed(node, [program(name), "atexit", ...args])),
  theirs: ({ node, program }) => inPlace(() => printed(node, [program(name), ...peerArgs, ...args])),
});

export const resources = [
  ...["lockfile", "proper-lockfile"].map((peer) =>
    row({
      name: `lock-${peer}`,
      what: "a lock taken and let go, synchronously, uncontended",
      program: "lock.mjs",
      peer: [peer, peer],
      unit: "µs",
      atMost: 1,
      rounds: 21,
    }),
  ),
  ...["lockfile", "proper-lockfile"].map((peer) =>
    row({
      name: `contended-${peer}`,
      what: "a turn, with eight contenders",
      program: "contended.mjs",
      peer: [peer, peer],
      unit: "ms",
      rounds: 5,
    }),
  ),
  ...[
    ["share", "the least share of eight contenders", "%"],
    ["wait", "the longest wait of eight contenders", "ms"],
    ["turn", "a turn of eight contenders, for three seconds", "ms"],
  ].map(([name, what, unit]) =>
    row({
      name: `fair-${name}`,
      what,
      program: "fairness.mjs",
      args: [name],
      peer: ["lockfile", "lockfile"],
      unit,
      rounds: 5,
    }),
  ),
  row({
    name: "takeover",
    what: "from the holder's death to the next one's turn",
    program: "takeover.mjs",
    peer: ["proper-lockfile, stale: 2000", "proper-lockfile"],
    unit: "ms",
    atMost: 1,
    rounds: 3,
  }),
  ...["file", "dir"].flatMap((what) =>
    ["tmp", "tempy"].map((peer) =>
      row({
        name: `temp-${what}-${peer}`,
        what: `a temporary ${what === "dir" ? "directory" : "file"} made and removed, again and again`,
        program: "temp.mjs",
        args: [what],
        peer: [peer, peer],
        unit: "µs",
        rounds: 11,
      }),
    ),
  ),
];
