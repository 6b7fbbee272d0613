// A group of cleanups. Each is a registration of its own, in its own place on the
// stack and with its own time, so that one which hangs holds back none of the others.

import { beginAt } from "../errors/define-errors.ts";
import { scopeError } from "../errors/scope.ts";
import { type CleanupOptions, type Registration, thread } from "../index.ts";

type AnyFunction = (...args: never[]) => unknown;

export class CleanupScope implements AsyncDisposable {
  /** What reports call it, before the names of its cleanups. */
  readonly name: string;
  /** What is registered and has not ended, oldest first. */
  #members = new Set<Registration | CleanupScope>();
  #isOver = false;
  readonly #ended: () => void;

  constructor(name: string, ended = () => {}) {
    this.name = name;
    this.#ended = ended;
  }

  /** Whether it has ended: nothing can be registered on it any more. */
  get disposed(): boolean {
    return this.#isOver;
  }

  /** Registers a cleanup with a name and a timeout of its own, as `register` does. */
  register<A extends readonly unknown[], R>(
    options: CleanupOptions,
    fn: (...args: A) => R,
    ...args: A
  ): Registration<R>;
  /**
   * Registers a cleanup: it runs when the scope ends, or at exit, whichever comes first.
   *
   * @throws a `ReferenceError` with the code `ERR_ATEXIT_SCOPE_ENDED`; what `register` throws
   */
  register<A extends readonly unknown[], R>(fn: (...args: A) => R, ...args: A): Registration<R>;
  register(first: AnyFunction | CleanupOptions, ...rest: unknown[]): Registration {
    return this.#add(this.register, first, rest);
  }

  /** @param callee the public method, whose caller reports name */
  #add(callee: AnyFunction, first: AnyFunction | CleanupOptions, rest: readonly unknown[]): Registration {
    this.#refuseWhenOver(callee);
    const [options, fn, args]: readonly [CleanupOptions, AnyFunction, readonly unknown[]] =
      typeof first === "function" ? [{}, first, rest] : [first, rest[0] as AnyFunction, rest.slice(1)];
    if (typeof fn !== "function") return thread.register(callee, first, rest); // which says so
    const name = `${this.name}: ${options.name ?? (fn.name || "(anonymous)")}`;
    const onCancel = () => {
      this.#members.delete(registration);
      options.onCancel?.();
    };
    const run = () => {
      this.#members.delete(registration);
      return fn(...(args as never[]));
    };
    const registration: Registration = thread.register(callee, { ...options, name, onCancel }, [run]);
    this.#members.add(registration);
    return registration;
  }

  /**
   * Makes a scope within this one, which ends with it, or before.
   *
   * @param name what reports call it
   */
  scope(name: string): CleanupScope {
    this.#refuseWhenOver(this.scope);
    const inner: CleanupScope = new CleanupScope(`${this.name}: ${name}`, () => this.#members.delete(inner));
    this.#members.add(inner);
    return inner;
  }

  /** Registers a function, as `AsyncDisposableStack` does. */
  defer(onDispose: () => unknown): void {
    this.#add(this.defer, onDispose, []);
  }

  /** Registers a function for a value; returns the value. */
  adopt<T>(value: T, onDispose: (value: T) => unknown): T {
    this.#add(this.adopt, onDispose, [value]);
    return value;
  }

  /**
   * Registers a disposable resource; returns it.
   *
   * @throws a `TypeError` with the code `ERR_ATEXIT_NOT_DISPOSABLE`
   */
  use<T extends AsyncDisposable | Disposable | null | undefined>(resource: T): T {
    if (resource === null || resource === undefined) return resource;
    const { [Symbol.asyncDispose]: end = (resource as Partial<Disposable>)[Symbol.dispose] } =
      resource as Partial<AsyncDisposable>;
    if (typeof end !== "function") throw beginAt(this.use, scopeError("ERR_ATEXIT_NOT_DISPOSABLE", resource));
    this.#add(this.use, { name: resource.constructor.name }, [() => Reflect.apply(end, resource, [])]);
    return resource;
  }

  /** Ends this scope, and gives all that is registered on it to a new one. */
  move(): CleanupScope {
    this.#refuseWhenOver(this.move);
    const other = new CleanupScope(this.name);
    [other.#members, this.#members] = [this.#members, other.#members];
    this.#end();
    return other;
  }

  /**
   * Ends the scope: runs its cleanups, last registered first, one at a time.
   *
   * @throws (rejects with) what a cleanup throws, when all have run; an
   *   `AggregateError` where several have failed
   */
  async run(): Promise<void> {
    this.#end();
    const errors: unknown[] = [];
    for (let last = this.#newest(); last !== undefined; last = this.#newest()) {
      this.#members.delete(last);
      try {
        await last.run();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} cleanups of ${this.name} failed`);
    if (errors.length === 1) throw errors[0];
  }

  /** Ends the scope, and cancels its cleanups. */
  cancel(): void {
    this.#end();
    for (const member of this.#members) member.cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.run();
  }

  #newest(): Registration | CleanupScope | undefined {
    return [...this.#members].at(-1);
  }

  #end(): void {
    this.#isOver = true;
    this.#ended();
  }

  #refuseWhenOver(callee: AnyFunction): void {
    if (this.#isOver) throw beginAt(callee, scopeError("ERR_ATEXIT_SCOPE_ENDED", this.name));
  }
}
