// A transaction pooler on loopback, from Debian's package, gone after the tests.

import { execFileSync, spawn } from "node:child_process";
import { chownSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Provided, reasonOf, unpackPackages } from "../../support/debian.ts";
import { noteMissing } from "../../support/missing.ts";
import { freePort, librariesIn, type PostgresServer, said, stopped, user } from "../../support/servers.ts";

export function providePgbouncer(): Provided {
  try {
    const directory = unpackPackages("pgbouncer", ["pgbouncer", "libevent-2.1-7", "libc-ares2"]);
    const command = join(directory, "usr/sbin/pgbouncer");
    const env = { LD_LIBRARY_PATH: librariesIn(join(directory, "usr/lib")) };
    execFileSync(command, ["--version"], { env: { ...process.env, ...env }, stdio: "pipe" });
    return { command, env };
  } catch (error) {
    return { missing: noteMissing("pgbouncer", reasonOf(error)) };
  }
}

export interface Pooler {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** @param connections - how many it has to the server */
export async function startPgbouncer(
  { command, env }: Exclude<Provided, { missing: string }>,
  server: PostgresServer,
  connections: number,
): Promise<Pooler> {
  const root = mkdtempSync(join(tmpdir(), "atexit-pgbouncer-"));
  if (user.uid !== undefined && user.gid !== undefined) chownSync(root, user.uid, user.gid);
  const port = await freePort();
  const settings = join(root, "pgbouncer.ini");
  writeFileSync(
    settings,
    `[databases]
postgres = host=127.0.0.1 user=postgres port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
`,
  );
  const child = spawn(command, [settings], {
    env: { ...process.env, ...env },
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    ...user,
  });
  await said(child, child.stderr, "process up");
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: () => stopped(child, "SIGINT", root),
  };
}
