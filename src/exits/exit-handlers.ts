// All the ways out of one thread.

import { isMainThread } from "../platform/node-builtins.ts";
import { errorListeners, isDeno, reportsInItsOwnWay } from "./error-listeners.ts";
import type { EmitInterceptor, ExitContext, ExitHandler, InterceptedEvent } from "./exit-handler.ts";
import { hideListenerWarning } from "./hide-listener-warning.ts";
import { hideSystemExit } from "./hide-system-exit.ts";
import { IpcDisconnect } from "./ipc-disconnect.ts";
import { naturalEnd } from "./natural-end.ts";
import { pm2ShutdownMessage } from "./pm2-shutdown-message.ts";
import { oneOfSeveral } from "./stacks-of-process.ts";
import { ProcessExit } from "./process-exit.ts";
import { Signals } from "./signals.ts";
import { silentEnd } from "./silent-end.ts";
import { uncaughtError } from "./uncaught-error.ts";
import { workerShutdownRequest } from "./worker-shutdown-request.ts";
import { process } from "../platform/process.ts";

/** The ways out of a thread; where two intercept the same event, the first one stands in front. */
export interface ExitHandlers {
  readonly all: readonly ExitHandler[];
  readonly processExit: ProcessExit;
  readonly signals: Signals | undefined;
}

/** Makes them. Only the main thread receives signals, and a parent's messages. */
export function makeExitHandlers(own: Omit<ExitContext, "endProcess">): ExitHandlers {
  const context: ExitContext = { ...own, endProcess: (code) => processExit.endProcess(code) };
  const signals = isMainThread ? new Signals(context) : undefined;
  const ipc = new IpcDisconnect();
  const processExit = new ProcessExit(context, ipc, signals);
  const all: ExitHandler[] = [
    hideSystemExit(),
    hideListenerWarning(context),
    uncaughtError(context),
    ipc,
    naturalEnd(context, ipc),
    processExit,
    oneOfSeveral(context),
  ];
  if (reportsInItsOwnWay) all.push(silentEnd());
  if (isDeno) all.push(errorListeners());
  if (signals !== undefined) all.push(signals);
  if (!isMainThread) all.push(workerShutdownRequest(context));
  else if (process.channel !== undefined) all.push(pm2ShutdownMessage(context));
  return { all, processExit, signals };
}

/** Makes one interceptor of all that an event has: each passes on to the next, and the last to the listeners. */
export function interceptorOf(handlers: readonly ExitHandler[], event: InterceptedEvent): EmitInterceptor {
  const interceptors = handlers.flatMap(({ intercepts }) => intercepts?.[event] ?? []);
  return interceptors.reduceRight((behind, front) => (emit, args) => front(() => behind(emit, args), args));
}
