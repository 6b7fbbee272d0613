// Prints how long the import and the first registration took, in milliseconds.

const start = process.hrtime();
const { register } = await import("atexit");
register(() => {});
const [seconds, nanoseconds] = process.hrtime(start);
console.log(seconds * 1e3 + nanoseconds / 1e6);
