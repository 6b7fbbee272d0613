// What must compile, and what must not. Compiled with the tests, never run.

import {
  type CleanupOptions,
  clear,
  configure,
  type count,
  type ErrorCode,
  type Exit,
  exit,
  exiting,
  finalize,
  type Registration,
  register,
  run,
  type Settings,
  SystemExit,
  unregister,
} from "../../src/index.ts";

function expectType<T>(_value: T): void {}

/** Both are assignable to one another: neither is `any` where the other is not. */
function expectSame<A, B>(
  ..._same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]
): void {}

declare const path: string;
declare function remove(path: string): void;
declare function connect(host: string, port: number, secure?: boolean): Promise<string>;
declare function close(...files: number[]): number;
declare function maybe(): Promise<void> | undefined;
declare class Pool {
  end(): Promise<void>;
}

// register(): the arguments are those of the function.
register(remove, path);
register(connect, "localhost", 5432);
register(connect, "localhost", 5432, true);
register(close);
register(close, 1, 2, 3);
register(() => {});
register(async () => {});
register({}, remove, path);
register({ name: "db", timeout: 2_000 }, connect, "localhost", 5432);
register({ name: "pool" }, () => new Pool().end());
register(new Pool().end.bind(new Pool()));
register(console.log, "any", 1, {});
// @ts-expect-error the argument is missing
register(remove);
// @ts-expect-error the argument is no string
register(remove, 1);
// @ts-expect-error one argument too many
register(remove, path, path);
// @ts-expect-error one argument too many, where there are none
register(() => {}, 1);
// @ts-expect-error the second argument is missing
register(connect, "localhost");
// @ts-expect-error the arguments are in the wrong order
register(connect, 5432, "localhost");
// @ts-expect-error the optional argument is no boolean
register(connect, "localhost", 5432, "yes");
// @ts-expect-error one of the rest is no number
register(close, 1, "2");
// @ts-expect-error the argument is missing, behind options
register({ name: "file" }, remove);
// @ts-expect-error the argument is no string, behind options
register({ name: "file" }, remove, 1);
// @ts-expect-error it was called, not passed
register(remove(path));
// @ts-expect-error a promise is no function
register(connect("localhost", 5432));
// @ts-expect-error a name is no function
register("remove", path);
// @ts-expect-error nothing to do
register();
// @ts-expect-error options, and nothing to do
register({ name: "nothing" });
// @ts-expect-error a name is a string
register({ name: 1 }, () => {});
// @ts-expect-error a timeout is a number of milliseconds
register({ timeout: "2s" }, () => {});
// @ts-expect-error there is no such option
register({ grace: 2_000 }, () => {});
// @ts-expect-error an option is left out, not undefined
register({ timeout: undefined }, () => {});

// The handle knows what the cleanup returns.
expectSame<ReturnType<Registration<number>["run"]>, number | undefined>();
const closing = register(close, 1);
expectSame<typeof closing, Registration<number>>();
expectType<number | undefined>(closing.run());
expectType<boolean>(closing.cancel());
const connecting = register(connect, "localhost", 5432);
expectSame<typeof connecting, Registration<Promise<string>>>();
expectType<Promise<string> | undefined>(connecting.run());
expectType<string | undefined>(await connecting.run());
expectType<Registration<Promise<string>>>(register({ name: "db" }, connect, "localhost", 5432));
// @ts-expect-error it returns a number
expectType<string | undefined>(closing.run());
// @ts-expect-error it may have ended already, and return nothing
expectType<number>(closing.run());
// @ts-expect-error run() takes the arguments of the registration
closing.run(2);
// @ts-expect-error what it runs is its own business
closing.fn;
// @ts-expect-error a handle is made by register() alone
expectType<Registration>({ run: () => undefined, cancel: () => true });

// `using` is for cleanups that return no promise, `await using` for all.
export async function scopes(): Promise<void> {
  using _synchronous = register(close, 1);
  using _nothing = register(() => {});
  using _named = register({ name: "file" }, remove, path);
  await using _asynchronous = register(connect, "localhost", 5432);
  await using _synchronousToo = register(close, 1);
  using _finalizer = finalize({}, close, 1);
  await using _finalizerToo = finalize({}, connect, "localhost", 5432);
  // @ts-expect-error its promise would be nobody's
  using _forgotten = register(connect, "localhost", 5432);
  // @ts-expect-error it may be a promise
  using _perhaps = register(maybe);
  // @ts-expect-error its promise would be nobody's, behind options
  using _forgottenToo = register({ name: "db" }, async () => {});
  // @ts-expect-error its promise would be nobody's, at the end of an object
  using _forgottenFinalizer = finalize({}, connect, "localhost", 5432);
}
const stack = new AsyncDisposableStack();
stack.use(connecting);
stack.use(closing);
expectType<Disposable>(closing);
expectType<AsyncDisposable>(connecting);
// @ts-expect-error not without awaiting it
expectType<Disposable>(connecting);

// unregister(): any function.
unregister(remove);
unregister(connect);
unregister(() => {});
expectSame<ReturnType<typeof unregister>, void>();
// @ts-expect-error a name is no function
unregister("remove");
// @ts-expect-error a handle is cancelled
unregister(closing);
// @ts-expect-error which one?
unregister();

// finalize(): an object, and the arguments of the function.
class Connection {
  fd = 1;
}
const connection = new Connection();
expectType<Registration<number>>(finalize(connection, close, connection.fd));
finalize(remove, () => {});
finalize([], remove, path);
// @ts-expect-error a number is never collected
finalize(connection.fd, close);
// @ts-expect-error a string is never collected
finalize(path, remove, path);
// @ts-expect-error null is never collected
finalize(null, remove, path);
// @ts-expect-error the argument is missing
finalize(connection, remove);
// @ts-expect-error the argument is no string
finalize(connection, remove, connection);
// @ts-expect-error nothing to do
finalize(connection);

// exit(): a number, and no way back.
export function afterExit(): number {
  exit(3);
}
expectSame<ReturnType<typeof exit>, never>();
export const codes = [() => exit(), () => exit(0), () => exit(undefined)];
// @ts-expect-error a code is a number
export const exitWithText = () => exit("1");
// @ts-expect-error a code is a number, and null none
export const exitWithNull = () => exit(null);
// @ts-expect-error one code
export const exitTwice = () => exit(1, 2);

// exiting: a signal whose reason is the exit.
expectType<AbortSignal>(exiting);
expectType<Exit | undefined>(exiting.reason);
await fetch("http://localhost", { signal: exiting });
// @ts-expect-error it is the package that fires it
exiting.reason = undefined;

// run(), clear() and count().
expectSame<ReturnType<typeof run>, void | Promise<void>>();
await run();
expectSame<ReturnType<typeof clear>, void>();
expectSame<ReturnType<typeof count>, number>();
// @ts-expect-error it runs all
run(remove);
// @ts-expect-error it clears all: unregister() is for one function
clear(remove);

// configure(): a part of the settings in, all of them out.
expectSame<ReturnType<typeof configure>, Settings>();
expectSame<Settings["grace"], number>();
expectSame<Settings["timeout"], number | undefined>();
configure({});
configure({ grace: 5_000, timeout: undefined, signals: ["SIGTERM", "SIGINT"], processExit: "sync" });
const few = ["SIGTERM", "SIGHUP"] as const;
configure({ signals: few });
// @ts-expect-error a time is a number of milliseconds
configure({ grace: "1" });
// @ts-expect-error a time is a number of milliseconds
configure({ timeout: "1s" });
// @ts-expect-error signals have the names that Node knows
configure({ signals: ["SIGTREM"] });
// @ts-expect-error signals are a list
configure({ signals: "SIGTERM" });
// @ts-expect-error signals have names, not numbers
configure({ signals: [15] });
// @ts-expect-error it waits, or is synchronous
configure({ processExit: "never" });
// @ts-expect-error there is no such setting
configure({ gracePeriod: 5_000 });
// @ts-expect-error what is to be changed?
configure();
// @ts-expect-error the list that it gives away is not to be changed
configure({}).signals.push("SIGTERM");

// The types have names.
expectType<CleanupOptions>({ name: "db", timeout: 0 });
expectType<ErrorCode>("ERR_ATEXIT_TIME");
// @ts-expect-error there is no such error
expectType<ErrorCode>("ERR_ATEXIT_NOTHING");
expectType<Error>(new SystemExit(3));
expectType<number>(new SystemExit(3).code);
// @ts-expect-error the code is what the process ends with
new SystemExit(3).code = 4;
