// The shortest program with a cleanup: it runs when the program ends.

import { register } from "atexit";

register(() => console.log("Cleanup: releasing resources."));

console.log("Script running...");
console.log("Script done.");
