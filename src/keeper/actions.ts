// The only things that a recipe can ask for, by name: what programs plant and
// keepers carry out. Known by symbols, since a program may have two copies of this
// package.

import { leaseError } from "../errors/lease.ts";
import { resourceError } from "../errors/resources.ts";
import { isSignedBy, type Signed } from "./signature.ts";
import type { StandardSchema } from "./standard-schema.ts";

export type Action = (...args: never[]) => unknown;

/** The functions as they were given. */
export type Actions<A> = { readonly [Name in keyof A]: A[Name] };

/** What is known of actions, beside what they do. */
export interface ActionsOptions<A> {
  /**
   * The module that exports them, `import.meta.url`: with it the guard of a killed
   * process carries them out, before any keeper does.
   */
  module?: string | URL;
  /**
   * For an action, what its arguments have to be, as an array: a Standard Schema,
   * such as Zod's `z.tuple([…])`. It is asked before the action is carried out for a
   * dead owner, whose recipe anybody may have written who may plant.
   */
  check?: { readonly [Name in keyof A]?: StandardSchema };
  /**
   * Signs what is planted, where others write to the same engine: then recipes are
   * refused that do not have its signature. The same for programs and keepers, and in no repository.
   */
  secret?: string;
}

export interface KnownActions {
  readonly module: string | undefined;
  readonly functions: ReadonlyMap<string, Action>;
  readonly checks: ReadonlyMap<string, StandardSchema>;
  readonly secret: string | undefined;
}

/** A recipe, as it is asked for. */
export interface AskedAction extends Signed {
  readonly signature: string | undefined;
}

const KNOWN = Symbol.for("atexit.actions.1");
const NAME = Symbol.for("atexit.action.1");

const LONGEST_NAME = 256;

export function defineActions<A extends Record<string, Action>>(functions: A, options: ActionsOptions<A>): Actions<A> {
  const known: KnownActions = {
    module: options.module === undefined ? undefined : String(options.module),
    functions: new Map(Object.entries(functions)),
    checks: new Map(Object.entries(options.check ?? {}) as [string, StandardSchema][]),
    secret: options.secret,
  };
  if (known.secret === "") throw resourceError("ERR_ATEXIT_OPTION", "secret", "", "a text that is not empty");
  if (known.module !== undefined && !known.module.startsWith("file:")) {
    throw resourceError("ERR_ATEXIT_OPTION", "module", known.module, "import.meta.url");
  }
  const named: Record<string, Action> = {};
  for (const [name, fn] of known.functions) {
    if (typeof fn !== "function") throw resourceError("ERR_ATEXIT_OPTION", `The action ${name}`, fn, "a function");
    if (name === "" || name.includes("\0") || Buffer.byteLength(name) > LONGEST_NAME) {
      throw resourceError("ERR_ATEXIT_OPTION", "An action's name", name, `a text of 1 to ${LONGEST_NAME} bytes`);
    }
    // A function of its own: the given one may stand under two names.
    const action = (...args: never[]): unknown => fn(...args);
    named[name] = Object.assign(action, { [NAME]: { name, known } });
  }
  for (const name of known.checks.keys()) {
    if (!known.functions.has(name)) throw resourceError("ERR_ATEXIT_OPTION", "check", name, "the name of an action");
  }
  return Object.freeze(Object.defineProperty(named, KNOWN, { value: known })) as Actions<A>;
}

/** @throws a `TypeError` with the code `ERR_ATEXIT_ACTION` where it is none */
export function actionNamed(action: unknown): {
  readonly name: string;
  readonly module: string | undefined;
  readonly secret: string | undefined;
} {
  const { [NAME]: marked } = Object(action) as { [NAME]?: { name: string; known: KnownActions } };
  if (marked !== undefined) {
    const { module, secret } = marked.known;
    return { name: marked.name, module, secret };
  }
  throw leaseError("ERR_ATEXIT_ACTION", typeof action === "function" ? action.name || "This function" : String(action));
}

/** Returns the actions that a module exports. @throws a `TypeError` with the code `ERR_ATEXIT_ACTIONS` where it does not */
export function actionsOf(exports: Record<string, unknown>, module: string): KnownActions {
  // A CommonJS module has its exports on its default export as well.
  const nested = Object(exports["default"]) as Record<string, unknown>;
  const candidates = [...Object.values(exports), ...Object.values(nested)];
  const found = new Set(
    candidates.map((one) => (Object(one) as { [KNOWN]?: KnownActions })[KNOWN]).filter((known) => known !== undefined),
  );
  const [known] = found;
  if (known === undefined) throw leaseError("ERR_ATEXIT_ACTIONS", module, "exports no actions");
  if (found.size > 1) throw leaseError("ERR_ATEXIT_ACTIONS", module, `exports ${found.size} sets of actions`);
  return known;
}

/** What is not to be carried out, now or later. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/**
 * Carries an action out.
 *
 * @throws (rejects with) a {@link RefusedError} where the name, the signature or the
 *   arguments are not what the actions allow; what the action throws
 */
export async function carryOut({ functions, checks, secret }: KnownActions, asked: AskedAction): Promise<void> {
  const { action: name, args, signature } = asked;
  if (secret !== undefined && !isSignedBy(secret, asked, signature)) {
    throw new RefusedError("its signature is not right");
  }
  const fn = functions.get(name);
  if (fn === undefined) throw new RefusedError(`there is no action ${name}`);
  let values = parsed(args);
  const check = checks.get(name);
  if (check !== undefined) {
    const validated = await check["~standard"].validate(values);
    if (validated.issues !== undefined) {
      const issues = validated.issues.map(({ message }) => message).join("; ");
      throw new RefusedError(`its arguments are not what ${name} takes: ${issues}`);
    }
    values = validated.value;
  }
  if (!Array.isArray(values)) throw new RefusedError("its arguments are no array");
  await fn(...(values as never[]));
}

/** How deeply arguments may be nested: what is deeper fills the stack of whoever prints it. */
const DEEPEST = 100;

/** Reports whether JSON is nested too deeply to be read; brackets in its strings count as well. */
export function isTooDeep(json: string): boolean {
  let depth = 0;
  for (const character of json) {
    if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
    if (depth > DEEPEST) return true;
  }
  return false;
}

function parsed(args: string): unknown {
  if (isTooDeep(args)) throw new RefusedError("its arguments are nested too deeply");
  try {
    return JSON.parse(args);
  } catch {
    throw new RefusedError("its arguments are no JSON");
  }
}
