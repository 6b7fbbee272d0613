// The helper program as text, for where its file is not: in a bundle, in an archive,
// in a single executable. The build puts the text of replay.js here; the sources
// have that file.

export const PROGRAM_TEXT: string = "";
