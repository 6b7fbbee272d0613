// Plants a recipe, and registers the same cleanup here: whichever of the two ends
// this process decides who carries it out.

import type { LeaseEngine } from "../lease/engine.ts";
import type { Registration } from "../index.ts";
import { leaseError } from "../errors/lease.ts";
import { refuseBeyondJson } from "../durable/json-value.ts";
import { type Callee, registerForCaller } from "../resources/register-for-caller.ts";
import { type Action, actionNamed } from "./actions.ts";
import { signatureOf } from "./signature.ts";

const LONGEST_ARGUMENTS = 65_536;
/** How much of the arguments a title has. */
const SHOWN = 60;

export async function plantRecipe(
  callee: Callee,
  engine: LeaseEngine,
  action: Action,
  args: readonly unknown[],
): Promise<Registration<Promise<void>>> {
  const { name, module, secret } = actionNamed(action);
  refuseBeyondJson(args);
  const text = JSON.stringify(args);
  const size = Buffer.byteLength(text);
  if (size > LONGEST_ARGUMENTS) {
    throw leaseError(
      "ERR_ATEXIT_RECIPES",
      engine.name,
      `its arguments are ${size} bytes of JSON, and ${LONGEST_ARGUMENTS} are the limit`,
    );
  }
  const sign =
    secret === undefined
      ? undefined
      : (owner: string, seq: number) => signatureOf(secret, { owner, seq, action: name, args: text });
  const planted = await engine.plant({ action: name, args: text, sign }, module);
  const inBrackets = text.slice(1, -1);
  const shown = inBrackets.length > SHOWN ? `${inBrackets.slice(0, SHOWN)}…` : inBrackets;
  // As they were when it was planted.
  const own = JSON.parse(text) as never[];
  const options = { name: `${name}(${shown})`, onCancel: () => void planted.settle() };
  return registerForCaller(callee, options, async () => {
    await action(...own);
    await planted.settle();
  });
}
