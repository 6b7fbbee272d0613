// The other files of the package, loaded when they are needed.

export function beside(file: string): string {
  return new URL(file, import.meta.url).href;
}
