// Lets `instanceof` recognise an error that another copy of this package has
// made: a program may have loaded it as an ES module and as CommonJS, or in two
// versions, and each copy has classes of its own.

/**
 * Makes `instanceof` go by the class's name, in all copies. A class that extends
 * it is told from others as any class is.
 */
export function recogniseInAllCopies(ErrorClass: { readonly name: string; readonly prototype: Error }): void {
  const mark = Symbol.for(`atexit.${ErrorClass.name}`);
  Object.defineProperty(ErrorClass.prototype, mark, { value: true });
  Object.defineProperty(ErrorClass, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== ErrorClass) return Reflect.apply(Function.prototype[Symbol.hasInstance], this, [value]);
      return typeof value === "object" && value !== null && mark in value;
    },
  });
}
