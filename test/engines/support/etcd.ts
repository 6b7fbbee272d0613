// Three members of etcd on loopback, from Debian's package, gone after the tests.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Provided, reasonOf, unpackPackages } from "../../support/debian.ts";
import { noteMissing } from "../../support/missing.ts";
import { freePort } from "../../support/servers.ts";

const MEMBERS = 3;

export function provideEtcd(): Provided {
  try {
    const command = join(unpackPackages("etcd", ["etcd-server"]), "usr/bin/etcd");
    execFileSync(command, ["--version"], { stdio: "pipe" });
    return { command, env: {} };
  } catch (error) {
    return { missing: noteMissing("etcd", reasonOf(error)) };
  }
}

export class EtcdCluster {
  readonly ports: number[] = [];
  readonly #command: string;
  readonly #root = mkdtempSync(join(tmpdir(), "atexit-etcd-"));
  readonly #peers: number[] = [];
  readonly #members: (ChildProcess | undefined)[] = [];

  private constructor(command: string) {
    this.#command = command;
  }

  static async start({ command }: Exclude<Provided, { missing: string }>): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(command);
    for (let n = 0; n < MEMBERS; n += 1) {
      cluster.ports.push(await freePort());
      cluster.#peers.push(await freePort());
    }
    for (let n = 0; n < MEMBERS; n += 1) cluster.resume(n);
    await cluster.ready();
    return cluster;
  }

  resume(n: number): void {
    const peer = (at: number) => `http://127.0.0.1:${this.#peers[at]}`;
    const options = {
      name: `m${n}`,
      "data-dir": join(this.#root, String(n)),
      "listen-client-urls": this.url(n),
      "advertise-client-urls": this.url(n),
      "listen-peer-urls": peer(n),
      "initial-advertise-peer-urls": peer(n),
      "initial-cluster": this.#peers.map((_, at) => `m${at}=${peer(at)}`).join(","),
      "heartbeat-interval": "50",
      "election-timeout": "500",
      logger: "zap",
      "log-outputs": "/dev/null",
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    this.#members[n] = spawn(this.#command, args, { stdio: "ignore", cwd: this.#root });
  }

  /** Waits until there is a leader whom two members follow. */
  async ready(): Promise<void> {
    for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
      const leaders = await Promise.all(this.ports.map((_, n) => this.#leaderSeenBy(n)));
      const known = leaders.filter((leader) => leader !== undefined && leader !== "0");
      if (known.length >= 2 && new Set(known).size === 1) return;
    }
    throw new Error("etcd has no leader");
  }

  /** The number of the member that leads. */
  async leader(): Promise<number> {
    for (let n = 0; n < MEMBERS; n += 1) {
      const { header, leader } = (await this.#status(n)) ?? {};
      if (leader !== undefined && header?.member_id === leader) return n;
    }
    throw new Error("etcd has no leader");
  }

  /** Ends a member, as a crash does. */
  async halt(n: number): Promise<void> {
    const member = this.#members[n];
    this.#members[n] = undefined;
    if (member === undefined) return;
    const exited = once(member, "exit");
    member.kill("SIGKILL");
    await exited;
  }

  async stop(): Promise<void> {
    for (let n = 0; n < MEMBERS; n += 1) await this.halt(n);
    rmSync(this.#root, { recursive: true, force: true });
  }

  url(n: number): string {
    return `http://127.0.0.1:${this.ports[n]}`;
  }

  async #leaderSeenBy(n: number): Promise<string | undefined> {
    return (await this.#status(n))?.leader;
  }

  async #status(n: number): Promise<{ header: { member_id: string }; leader?: string } | undefined> {
    try {
      const signal = AbortSignal.timeout(1_000);
      const response = await fetch(`${this.url(n)}/v3/maintenance/status`, { method: "POST", body: "{}", signal });
      return (await response.json()) as { header: { member_id: string }; leader?: string };
    } catch {
      return undefined;
    }
  }
}
