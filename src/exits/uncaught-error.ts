// An uncaught error: its report first, as Python does it, then the
// cleanups, then Node's own status.

import { report, writeError } from "../diagnostics/stderr.ts";
import { firstLineOf, uncaughtErrorReport } from "../diagnostics/uncaught-error-report.ts";
import { isInside } from "../execution/cleanup-context.ts";
import { isMainThread } from "../platform/node-builtins.ts";
import { describeExit, type Exit, isAbortedBy, isSystemExit } from "../registry/exit-reason.ts";
import { handBack, isDeno, othersListenTo, reportsInItsOwnWay } from "./error-listeners.ts";
import { nodeProcess } from "./node-internals.ts";
import type { ExitContext, ExitHandler } from "./exit-handler.ts";
import { process } from "../platform/process.ts";
import { isUnwinding } from "./unwind.ts";

/** The status of a process whose `uncaughtException` listener threw. Source: https://nodejs.org/api/process.html#exit-codes */
const HANDLER_THREW = isDeno ? 1 : 7;

type Kind = "uncaughtException" | "unhandledRejection";

export function uncaughtError({ stack, shutdown, endProcess }: ExitContext): ExitHandler {
  /** An error that is thrown once more, after the cleanups, to end as the runtime ends it. */
  let released: { error: unknown } | undefined;

  const leave = (error: unknown, kind: Kind, code: number): void => {
    writeError(uncaughtErrorReport(error, kind));
    const end = () => {
      try {
        endProcess(shutdown.requestedCode ?? code);
      } catch (thrown) {
        if (isSystemExit(thrown)) return; // another stack of this process waits for its cleanups
        // An `exit` listener threw. One error is on its way out already, and Node takes no notice of a second.
        nodeProcess.reallyExit(Number(process.exitCode));
      }
    };
    if (shutdown.begin(describeExit({ kind, code, error }), end)) end();
  };

  /** Throws the error once more after the cleanups: the runtime itself reports it, or tells the worker's parent. */
  const leaveToRuntime = (emit: () => boolean, error: unknown, kind: Kind): boolean => {
    const end = () => {
      released = { error };
      handBack(error, kind);
    };
    return shutdown.begin(describeExit({ kind, code: 1, error }), end) ? emit() : true;
  };

  return {
    intercepts: {
      // Work that `exiting` aborted, and whose promise is dropped.
      unhandledRejection(emit, [reason]) {
        // And, with --unhandled-rejections=strict, what was reported as an uncaught exception just now.
        const isKnown = shutdown.isRunning && (isAbortedBy(shutdown.exit, reason) || isReasonOf(shutdown.exit, reason));
        return isKnown && !othersListenTo("unhandledRejection") ? true : emit();
      },
      uncaughtExceptionMonitor: (emit) => (released === undefined ? emit() : true),
      uncaughtException(emit, [error, origin]) {
        const kind = origin === "unhandledRejection" ? origin : "uncaughtException";
        // An error in an `exit` listener: Node ends the process by itself.
        if (nodeProcess._exiting === true) return emit();
        if (released !== undefined || (stack.size === 0 && !shutdown.isRunning)) return emit();
        // A listener that reports it would write to the same stream, and again, and no timer would fire any more.
        if (shutdown.isRunning && isClosedOutput(error)) return true;
        if (othersListenTo("uncaughtException")) {
          try {
            return emit();
          } catch (thrown) {
            if (isSystemExit(thrown)) return true;
            if (shutdown.isRunning || !isMainThread) throw thrown;
            leave(thrown, "uncaughtException", HANDLER_THREW);
            return true;
          }
        }
        if (!shutdown.isRunning) {
          if (!isMainThread || reportsInItsOwnWay) return leaveToRuntime(emit, error, kind);
          leave(error, kind, 1);
          return true;
        }
        // A catch clause, say, that throws another error for the one that unwinds.
        if (isUnwinding() && !isInside()) return true;
        // Work in flight, such as that of a child which a cleanup ends: without cleanups nobody would have seen it.
        if (kind === "unhandledRejection" && !isInside()) {
          if (!isAbortedBy(shutdown.exit, error))
            report(`a promise was rejected while cleanups ran, which changes nothing: ${firstLineOf(error)}`);
          return true;
        }
        // A second error while cleanups run: reported, and they go on.
        if (!isAbortedBy(shutdown.exit, error)) {
          shutdown.markFailed();
          writeError(uncaughtErrorReport(error, kind));
        }
        return true;
      },
    },
  };
}

function isReasonOf(exit: Exit | undefined, reason: unknown): boolean {
  return exit?.kind === "unhandledRejection" && exit.error === reason;
}

/** The reader of stdout or stderr is gone, or the terminal is. What prints meets that again, and no report would be read. */
function isClosedOutput(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return (code === "EPIPE" || code === "EIO") && syscall === "write";
}
