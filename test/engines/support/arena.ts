// Some contenders for one lease, and what they have told together.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../support/run.ts";
import { pidsNaming } from "../../support/processes.ts";
import { Contender } from "./contender.ts";
import { Proxy } from "./proxy.ts";
import { checkTurns, type Told, type Turn } from "./turns.ts";

export interface ArenaOptions {
  /** A source that makes `take` and `write`, and finds the proxy's port in `PORT`. */
  readonly engine: string;
  /** The server's port. */
  readonly port: number;
  readonly contenders: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Whether a failure is what the test is for: then the log of the guards is not shown. */
  readonly isExpectedToFail?: boolean;
}

export class Arena {
  readonly contenders: Contender[] = [];
  readonly #options: ArenaOptions;
  readonly #journals: string;

  private constructor(options: ArenaOptions, journals: string) {
    this.#options = options;
    this.#journals = journals;
  }

  /** Runs the body among contenders, and checks all turns in the end. */
  static async with(options: ArenaOptions, body: (arena: Arena) => Promise<void>): Promise<Turn[]> {
    const journals = mkdtempSync(join(tmpdir(), "atexit-arena-"));
    chmodSync(journals, 0o700);
    const arena = new Arena(options, journals);
    try {
      for (let n = 0; n < options.contenders; n += 1) await arena.join();
      await body(arena);
      return checkTurns(arena.#all());
    } catch (error) {
      const log = join(journals, "log.jsonl");
      if (options.isExpectedToFail !== true && existsSync(log)) console.error(readFileSync(log, "utf8"));
      throw error;
    } finally {
      for (const contender of arena.contenders) {
        await contender.end();
        await contender.proxy.close();
      }
      await until(() => pidsNaming(journals).length === 0);
      rmSync(journals, { recursive: true, force: true });
    }
  }

  get port(): number {
    return this.#options.port;
  }

  async join(): Promise<Contender> {
    const { engine, port, env } = this.#options;
    const proxy = await Proxy.to(port);
    const contender = new Contender(this.contenders.length, proxy, engine, { ...env, ATEXIT_DIR: this.#journals });
    this.contenders.push(contender);
    return contender;
  }

  /** Who has the lease now, or gets it next. */
  async holder(): Promise<{ contender: Contender; token: number; begun: number }> {
    const newest = () => this.#turnsBegun().at(-1);
    if (newest() === undefined) await this.#next(() => true);
    const { who, line } = newest() as { who: number; line: Told & { is: "begun" } };
    return { contender: this.contenders[who] as Contender, token: line.token, begun: line.at };
  }

  /** The first turn with a greater token. */
  async after(token: number): Promise<{ contender: Contender; token: number; begun: number }> {
    const line = await this.#next((told) => told.is === "begun" && told.token > token);
    const who = this.contenders.findIndex(({ told }) => told.includes(line));
    const { token: next, at } = line as Told & { is: "begun" };
    return { contender: this.contenders[who] as Contender, token: next, begun: at };
  }

  count(is: Told["is"], isSo: (line: Told) => boolean = () => true): number {
    return this.#all().filter(({ line }) => line.is === is && isSo(line)).length;
  }

  #next(isSo: (line: Told) => boolean): Promise<Told> {
    return Promise.race(this.contenders.map((contender) => contender.tells(isSo)));
  }

  #turnsBegun() {
    return this.#all()
      .filter(({ line }) => line.is === "begun")
      .sort((a, b) => (a.line as { token: number }).token - (b.line as { token: number }).token);
  }

  #all() {
    return this.contenders.flatMap(({ who, told }) => told.map((line) => ({ who, line })));
  }
}
