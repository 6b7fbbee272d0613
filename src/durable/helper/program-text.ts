// The helper program as text, for where its file is not: in a bundle, in an archive,
// in a single executable, or where the package is removed under a running program.
// The build puts all of this here from atexit-helper.cjs; the sources have that file.

/** The first digits of the text's SHA-256: two builds of one version are two programs. */
export const PROGRAM_DIGEST: string = "";

/** The length of the text, in bytes. */
export const PROGRAM_SIZE: number = 0;

/** Returns the text; empty in the command, which has the file beside it. In a function, it is not looked at before it is needed. */
export function programText(): string {
  return "";
}
