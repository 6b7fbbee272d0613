// What a process can have too little of: another process, or a later one, has it.

const CODES = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "ENOBUFS"]);

/** Reports whether an error says that this process has too few descriptors or processes, or too little memory. */
export function isLacking(error: unknown): boolean {
  return CODES.has((error as NodeJS.ErrnoException | undefined)?.code ?? "");
}
