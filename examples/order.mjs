// Last in, first out: what was acquired last is released first.

import { register } from "atexit";

register(() => console.log("3. Database connection closed."));
register(() => console.log("2. Lock released."));
register(() => console.log("1. Cache flushed."));

console.log("Application running...");
