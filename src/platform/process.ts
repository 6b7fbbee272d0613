// The process that this package stands on: the one that it was loaded with,
// whatever the program puts in its place later. Where that is a copy, as Jest
// gives one to each test file, it is the real one: Node tells a copy nothing.

const given = globalThis.process;

/** Whether this code runs in a context of node:vm: Node's functions belong to the main one. */
const isInOtherContext = typeof given.on === "function" && !(given.on instanceof Function);

/** The real process. A name of its own would say less: all of this package means this one. */
export const process: NodeJS.Process =
  isInOtherContext || typeof given.on !== "function" ? (realProcess() ?? given) : given;

/**
 * Where the state of this thread is kept, for all copies of this package. A test
 * file that has a process of its own has a state of its own.
 */
export const stateHolder: object = isInOtherContext && process !== given ? globalThis : process;

/** The global object of the main context, where Node runs what it compiles. */
export const mainGlobal = (
  isInOtherContext ? given.getBuiltinModule("vm").runInThisContext("globalThis") : globalThis
) as object;

/** Returns the environment as the program sees it. */
export function environment(): NodeJS.ProcessEnv {
  return given.env;
}

/** Returns `process.exit` as it is at this moment: a test may have replaced it. */
export function currentExit(): (code: number) => never {
  const current = globalThis.process as NodeJS.Process | null | undefined;
  const holder = typeof current?.exit === "function" ? current : process;
  return (code) => holder.exit(code);
}

function realProcess(): NodeJS.Process | undefined {
  const ways = [
    () => given.getBuiltinModule("vm").runInThisContext("process") as NodeJS.Process,
    // For Jest that is its copy; where a program has replaced the global, it is the real one.
    () => given.getBuiltinModule("process"),
  ];
  for (const way of ways) {
    const found = way();
    if (typeof found.on === "function") return found;
  }
  return undefined;
}
