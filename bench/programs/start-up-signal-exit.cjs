// Prints how long require() and the first registration took, in milliseconds.

const start = process.hrtime();
const { onExit } = require("signal-exit");
onExit(() => {});
const [seconds, nanoseconds] = process.hrtime(start);
console.log(seconds * 1e3 + nanoseconds / 1e6);
