// The options of all commands: completions use them without loading the commands.

export const runOptions = {
  rm: { type: "string", multiple: true },
  "on-exit": { type: "string", multiple: true },
  lock: { type: "string", multiple: true },
  lease: { type: "string", multiple: true },
  from: { type: "string" },
  ttl: { type: "string" },
  wait: { type: "string" },
  "temp-dir": { type: "string", multiple: true },
  grace: { type: "string" },
  "end-with-parent": { type: "boolean" },
} as const;

export const psOptions = { json: { type: "boolean" }, from: { type: "string" } } as const;
export const migrateOptions = {
  from: { type: "string" },
  grant: { type: "string", multiple: true },
  keeper: { type: "string", multiple: true },
} as const;
export const keeperOptions = {
  from: { type: "string" },
  actions: { type: "string" },
  allow: { type: "string", multiple: true },
  concurrency: { type: "string" },
  timeout: { type: "string" },
  tries: { type: "string" },
  ttl: { type: "string" },
  probes: { type: "string" },
} as const;
export const deadLettersOptions = {
  from: { type: "string" },
  retry: { type: "string", multiple: true },
  forget: { type: "string", multiple: true },
  json: { type: "boolean" },
} as const;
export const recoverOptions = { "dry-run": { type: "boolean", short: "n" }, json: { type: "boolean" } } as const;
/** Of `atexit recover --from`. */
export const recoverFromOptions = {
  from: { type: "string" },
  actions: { type: "string" },
  allow: { type: "string", multiple: true },
  ttl: { type: "string" },
  json: { type: "boolean" },
} as const;
export const logOptions = { json: { type: "boolean" }, lines: { type: "string", short: "n" } } as const;
export const doctorOptions = { json: { type: "boolean" }, from: { type: "string" } } as const;
export const reportOptions = {
  format: { type: "string" },
  output: { type: "string", short: "o" },
  rows: { type: "string" },
} as const;
