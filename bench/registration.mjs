// What one registration costs, beside the least that could be done instead: to
// keep a closure with its arguments in an array.

import { printed } from "./measure.mjs";

export const registration = {
  name: "registration",
  what: "one of a million registrations, with two arguments",
  peer: "array push of a closure",
  unit: "ns",
  atMost: 2,
  rounds: 25,
  ours: ({ node, program }) => printed(node, [program("million-registered.mjs")]),
  theirs: ({ node, program }) => printed(node, [program("million-pushed.mjs")]),
};
