// Some tests are as exhaustive as one has time for: of a matrix they take some cells
// each time, and all of them where there is time.

/** Whether there is, as in `npm run test:all` on the Node that runs it. */
export const isLong = process.env["ATEXIT_TESTS"] === "long";
