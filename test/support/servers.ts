// Real servers on loopback, on free ports, gone after the tests. Where one
// cannot be had, its tests do not run, and the last lines of scripts/test.mjs
// say so; in CI that is a failure.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
// @ts-expect-error a script without types
import { provideChromium, providePostgres, provideRedis } from "../../../scripts/servers.mjs";

type Provided = { command: string; env: Record<string, string> } | { missing: string };

export interface RealServer {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** PostgreSQL refuses to be root, and needs somebody to be. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const user: Partial<typeof NOBODY> = process.getuid?.() === 0 ? NOBODY : {};

const postgres = providePostgres() as Provided;
const redis = provideRedis() as Provided;

/** A browser, or why there is none. */
export const chromium = provideChromium() as Provided;

/** Why the tests of a server do not run, or `false`. */
export const without = {
  postgres: "missing" in postgres && postgres.missing,
  redis: "missing" in redis && redis.missing,
};

export async function startPostgres(): Promise<RealServer> {
  const root = mkdtempSync(join(tmpdir(), "atexit-postgres-"));
  if (process.getuid?.() === 0) chownSync(root, NOBODY.uid, NOBODY.gid);
  const home = programsFor(root);
  const data = join(root, "data");
  const env = { PATH: process.env["PATH"], LD_LIBRARY_PATH: join(home, "lib"), LC_ALL: "C", TZ: "UTC" };
  const options = { env, cwd: root, ...user };
  execFileSync(join(home, "bin", "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"], {
    ...options,
    stdio: "pipe",
  });
  const port = await freePort();
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off", port: String(port) };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(home, "bin", "postgres"), ["-D", data, ...args], {
    ...options,
    stdio: ["ignore", "ignore", "pipe"],
  });
  await said(child, child.stderr as NodeJS.ReadableStream, "ready to accept connections");
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: () => stopped(child, "SIGINT", root),
  };
}

/** The programs where that user can run them: the sources may be in a directory of root's own. */
function programsFor(root: string): string {
  if ("missing" in postgres) throw new Error(postgres.missing);
  const home = postgres.command;
  const env = { LD_LIBRARY_PATH: join(home, "lib") };
  if (spawnSync(join(home, "bin", "postgres"), ["--version"], { env, ...user }).status === 0) return home;
  const copy = join(root, "native");
  cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
  chmodSync(root, 0o755);
  return copy;
}

export async function startRedis(): Promise<RealServer> {
  if ("missing" in redis) throw new Error(redis.missing);
  const root = mkdtempSync(join(tmpdir(), "atexit-redis-"));
  const port = await freePort();
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", root];
  const child = spawn(redis.command, settings, {
    env: { ...process.env, ...redis.env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await said(child, child.stdout as NodeJS.ReadableStream, "Ready to accept connections");
  return { port, url: `redis://127.0.0.1:${port}`, stop: () => stopped(child, "SIGTERM", root) };
}

async function said(child: ChildProcess, output: NodeJS.ReadableStream, text: string): Promise<void> {
  let seen = "";
  await new Promise<void>((resolve, reject) => {
    output.on("data", (chunk) => {
      seen += chunk;
      if (seen.includes(text)) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`The server ended: ${seen}`)));
  });
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals, root: string): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
  rmSync(root, { recursive: true, force: true });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What a certificate for tests is made of. */
export function selfSigned(): { key: Buffer; cert: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), "atexit-tls-"));
  try {
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
    writeFileSync(key, "", { mode: 0o600 });
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes", "-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", ...curve, ...subject], { stdio: "ignore" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
