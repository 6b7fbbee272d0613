// What can be left to keepers, by name: imported by schema-of-a-test.mjs, and given
// to `atexit keeper --actions`. Each action bears being carried out twice, and takes
// no more than it has to: whoever may plant decides on its arguments.

import { actions } from "atexit/keeper";
import pg from "pg";

export const cleanups = actions(
  {
    async dropSchema(name) {
      if (!/^test_\w+$/.test(name)) throw new Error(`${name} is no schema of a test`);
      const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
      await client.connect();
      try {
        await client.query(`drop schema if exists ${name} cascade`);
      } finally {
        await client.end();
      }
    },
  },
  { module: import.meta.url }, // where the guard finds them
);
