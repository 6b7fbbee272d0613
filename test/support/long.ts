// Some tests are as exhaustive as one has time for.

/** Whether there are minutes for them, as in `npm run test:all`, and not seconds. */
export const isLong = process.env["ATEXIT_TESTS"] === "long";
