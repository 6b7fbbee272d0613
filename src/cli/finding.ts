// What a check of atexit doctor has found.

export interface Finding {
  /** `ok`; `note`: works, with a limit to know of; `problem`: something is not covered. */
  readonly is: "ok" | "note" | "problem";
  readonly found: string;
  /** The advice to the user. */
  readonly advice?: string;
}

export type Check = () => Finding | Promise<Finding>;

export const ok = (found: string): Finding => ({ is: "ok", found });
export const note = (found: string, advice: string): Finding => ({ is: "note", found, advice });
export const problem = (found: string, advice: string): Finding => ({ is: "problem", found, advice });
