/**
 * Where the copies of this package in one thread find its stack. The number
 * rises when copies can no longer work on one another's.
 */
export const KEY = Symbol.for("atexit.thread.1");
