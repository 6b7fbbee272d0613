// The helper program as text, for where its file is not: in a bundle, in an archive,
// in a single executable. The build puts the text of atexit-helper.js here; the sources
// have that file.

/** In a function, it is not looked at before it is needed. */
export function programText(): string {
  return "";
}
