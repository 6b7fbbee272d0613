// What the tests use of neighbours that come without types, and no more.

declare module "signal-exit-3" {
  export default function onExit(callback: () => void): () => void;
}

declare module "source-map-support" {
  const support: { install(): void };
  export default support;
}

declare module "async-exit-hook" {
  export default function exitHook(hook: (() => void) | ((done: () => void) => void)): void;
}

declare module "node-cleanup" {
  export default function nodeCleanup(cleanup: () => void): void;
}

declare module "tmp" {
  const tmp: {
    setGracefulCleanup(): void;
    dirSync(options: { tmpdir: string; unsafeCleanup: boolean }): { name: string };
  };
  export default tmp;
}

declare module "proper-lockfile" {
  const lockfile: { lock(file: string): Promise<() => Promise<void>> };
  export default lockfile;
}
