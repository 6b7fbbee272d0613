// The options of the commands that are loaded only when they are asked for:
// completions know them without loading those.

export const psOptions = { json: { type: "boolean" } } as const;
export const recoverOptions = { "dry-run": { type: "boolean", short: "n" }, json: { type: "boolean" } } as const;
export const logOptions = { json: { type: "boolean" }, lines: { type: "string", short: "n" } } as const;
export const doctorOptions = { json: { type: "boolean" } } as const;
export const reportOptions = {
  format: { type: "string" },
  output: { type: "string", short: "o" },
  rows: { type: "string" },
} as const;
