// atexit doctor: finds out by trying what this machine, container and runtime can
// and cannot cover, and gives advice on each.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, linkSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure as configureDurable, forResources, recover } from "../durable/index.ts";
import { packageFile } from "../platform/package-files.ts";
import { printable, printableJson } from "../platform/printable.ts";
import { holdNewFile } from "../platform/kernel-lock.ts";
import { now } from "../platform/node-builtins.ts";
import { patiently } from "../platform/patience.ts";
import { contentOf } from "../platform/file-content.ts";
import { runtime } from "../platform/runtime.ts";
import { system } from "../platform/this-system.ts";
import { configure } from "../index.ts";
import { peersIn } from "./project-peers.ts";
import { engineChecks } from "./doctor-engine.ts";
import { type Check, type Finding, note, ok, problem } from "./finding.ts";
import { doctorOptions } from "./options.ts";
import { painter, progress, say } from "./terminal.ts";
import { EXIT, optionsIn, refuseOperands } from "./arguments.ts";

const checks: Readonly<Record<string, Check>> = {
  "Node.js": () => ok(`${process.version}${standIn()} on ${system.name} ${process.arch}`),

  system: () =>
    system.name === "Linux"
      ? ok("Linux")
      : note(
          `${system.name}: tested in a bed that stands for it, and not on the system itself`,
          "docs/platforms.md in the repository says what was measured. Try what matters to you, and tell of what you see.",
        ),

  "permission model": () => {
    const { permission } = process as { permission?: { has(scope: string): boolean } };
    if (permission === undefined) return ok("not in use");
    const missing = ["child", "fs.read", "fs.write"].filter((scope) => !permission.has(scope));
    if (missing.length === 0) return ok("in use, and allows what is needed");
    return problem(
      `forbids ${missing.join(", ")}`,
      "Start Node with --allow-child-process, --allow-fs-read and --allow-fs-write for the journal directory; without child processes there is no guard, and only the next start cleans up after SIGKILL.",
    );
  },

  shell: () =>
    !system.hasShell
      ? ok("not needed: the guard is a Node")
      : spawnSync("/bin/sh", ["-c", "exit 7"]).status === 7
        ? ok("/bin/sh")
        : problem("no /bin/sh", "The guard is a shell: put one (busybox will do) into the image."),

  "kernel locks": () =>
    system.openLocks !== undefined
      ? tryOpenLock()
      : spawnSync("flock", ["--help"], { stdio: "ignore" }).error === undefined
        ? ok("flock(1)")
        : note(
            "no flock(1)",
            "Needed where containers share a journal directory or a lock: install util-linux, or busybox.",
          ),

  processes: () =>
    !system.seesOwnPids() && system.name !== "Linux"
      ? note(`cannot be looked at: ${system.whyUnseen}`, "A child is ended, and what it has started is not.")
      : system.openLocks !== undefined
        ? ok("known to live by a kernel lock; ended only where they began when it says")
        : system.name !== "Linux" || existsSync("/proc/self/stat")
          ? ok("can be told apart by their start")
          : problem("/proc is not mounted", "Mount it: without it nobody can tell a live process from a dead one."),

  "pid namespace": () => {
    if (process.pid === 1) {
      return note("this is PID 1", "Orphans are not reaped by Node: let docker run --init, or tini, be PID 1.");
    }
    const init = contentOf("/proc/1/comm");
    const isContainer = existsSync("/.dockerenv") || existsSync("/run/.containerenv") || existsSync("/var/run/secrets");
    if (!isContainer)
      return ok(init === undefined ? "the system's own" : `the system's own, or one that ${init} leads`);
    return note(
      `a container's, led by ${init ?? "nobody knows whom"}`,
      "When its first process dies the guard dies with it: set ATEXIT_DIR to a directory on a volume, so that the next container cleans up.",
    );
  },

  "journal directory": () => {
    let directory: string;
    try {
      directory = forResources.directory.path;
    } catch (error) {
      return problem((error as Error).message, `Set ATEXIT_DIR to ${system.privateDirectory}.`);
    }
    const mode = (statSync(directory).mode & 0o777).toString(8);
    const { type, bavail, bsize } = statfsSync(directory);
    const where = system.filesHaveOwners ? `${directory}, mode 0${mode}` : directory;
    const network = NETWORK.get(type);
    if (network !== undefined) {
      return note(
        `${where}, on ${network}`,
        "Set ATEXIT_DIR to a local directory: locks may not work across a network.",
      );
    }
    if (type === TMPFS) {
      return note(
        `${where}, in memory`,
        "After a reboot nothing is known any more: set ATEXIT_DIR to a directory on a disk.",
      );
    }
    if (bavail * bsize < 1024 * 1024) return problem(`${where}, full`, "Make room: no recipe can be written down.");
    return ok(where);
  },

  "lock files": () => {
    const directory = mkdtempSync(join(tmpdir(), "atexit-doctor-"));
    try {
      writeFileSync(join(directory, "a"), "");
      linkSync(join(directory, "a"), join(directory, "b"));
      return ok("hard links work");
    } catch (error) {
      return problem(`no hard links in ${tmpdir()}: ${(error as Error).message}`, "Take locks on another file system.");
    } finally {
      rmSync(directory, { recursive: true });
    }
  },

  guard: tryGuard,

  "left behind": async () => {
    const left = await recover({ dryRun: true });
    return left.length === 0
      ? ok("nothing by dead processes")
      : note(
          `${left.length} cleanups of dead processes wait`,
          "Look with atexit recover --dry-run, and run atexit recover.",
        );
  },

  "grace period": () => {
    const { grace } = configure({});
    const seconds = `${grace / 1_000} s`;
    const given = process.env["TERMINATION_GRACE_PERIOD_SECONDS"];
    if (given !== undefined && Number(given) * 1_000 <= grace) {
      return problem(
        `${seconds}, and the supervisor waits for ${given} s`,
        `Set ATEXIT_GRACE=${Math.max(1, Number(given) - 2)}s.`,
      );
    }
    if (given === undefined && grace >= 10_000) {
      return note(
        seconds,
        "docker stop kills after 10 s, pm2 after 1.6 s: keep ATEXIT_GRACE below your supervisor's patience.",
      );
    }
    return ok(seconds);
  },

  "other libraries": () => {
    const peers = peersIn(process.cwd());
    if (peers.length === 0) return ok("none among this project's dependencies that this package stands in for");
    const pages = peers.map(({ page }) => page).join(", ");
    return note(
      peers.map(({ name }) => name).join(", "),
      `They can stay: none waits for another, but locks of two libraries do not exclude one another. How to come from each: ${pages} in the repository.`,
    );
  },

  "service manager": () => {
    if (!process.env["NOTIFY_SOCKET"]) return ok("none asks to be told");
    const speaker = ["systemd-notify", "perl", "python3"].find(
      (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).error === undefined,
    );
    return speaker === undefined
      ? problem("nothing here can speak to it", "Install systemd-notify, perl or python3.")
      : ok(`told by ${speaker}; the unit needs NotifyAccess=all`);
  },
};

/** Holds a file as an owner of recipes and locks does, and looks whether that shows. */
function tryOpenLock(): Finding {
  const directory = mkdtempSync(join(tmpdir(), "atexit-doctor-"));
  try {
    const fd = holdNewFile(join(directory, "file"));
    if (fd !== undefined) closeSync(fd);
    return fd === undefined
      ? note("cannot be had", "Who lives is told by the pid alone: after a reuse of a dead owner's it counts as alive.")
      : ok("by open(2)");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Returns which other runtime says that it is a Node, and nothing in Node itself. */
function standIn(): string {
  const { bun, deno } = process.versions;
  if (bun !== undefined) return ` (Bun ${bun})`;
  return deno === undefined ? "" : ` (Deno ${deno})`;
}

/** Magic numbers of file systems. Source: statfs(2). */
const TMPFS = 0x01021994;
const NETWORK = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x65735546, "FUSE"],
  [0x01021997, "9p"],
]);

/** Kills a real process with a recipe, and finds whether and how soon the recipe is carried out. */
async function tryGuard(): Promise<Finding> {
  if (!configureDurable({}).guard) {
    return note("off (ATEXIT_GUARD=off)", "After SIGKILL the next start cleans up: run atexit recover at boot.");
  }
  const directory = mkdtempSync(join(tmpdir(), "atexit-doctor-"));
  const path = join(directory, "file");
  try {
    writeFileSync(path, "");
    const durable = packageFile("durable").href;
    const source = `
      import { remove } from ${JSON.stringify(durable)};
      remove(${JSON.stringify(path)});
      process.stdout.write("registered");
      setInterval(() => {}, 1_000);`;
    const [command, ...options] = runtime();
    if (command === undefined) return note("cannot be tried: there is no node in PATH", "See what PATH leads to.");
    const program = join(directory, "program.mjs");
    writeFileSync(program, source);
    const env = { ...process.env, ATEXIT_DIR: directory };
    const child = spawn(command, [...options, program], { env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => (said += String(chunk)));
    const [first] = (await Promise.race([once(child.stdout, "data"), once(child, "exit")])) as unknown[];
    if (!(first instanceof Buffer)) return problem(`cannot be tried: ${said.trim()}`, "See the message.");
    child.kill("SIGKILL");
    const killedAt = performance.now();
    while (existsSync(path) && performance.now() - killedAt < 5_000)
      await new Promise((resolve) => setTimeout(resolve, 5));
    if (!existsSync(path)) return ok(`carries out within ${Math.round(performance.now() - killedAt)} ms of SIGKILL`);
    return problem(
      `did nothing within 5 s of SIGKILL${said === "" ? "" : `: ${said.trim()}`}`,
      "The next start cleans up, or atexit recover. See the shell and the permission model above.",
    );
  } finally {
    await new Promise((resolve) => setTimeout(resolve, 50)); // the replay's last line
    patiently(now() + 2_000, () => rmSync(directory, { recursive: true, force: true }));
  }
}

export async function doctorCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = optionsIn(args, doctorOptions);
  refuseOperands(positionals);
  const all = values.from === undefined ? checks : engineChecks(values.from);
  const paint = painter(process.stdout);
  const marks = { ok: paint("green", "ok     "), note: paint("yellow", "note   "), problem: paint("red", "problem") };
  const findings: Record<string, Finding> = {};
  for (const [name, check] of Object.entries(all)) {
    const over = progress(`Trying: ${name}`);
    let finding: Finding;
    try {
      finding = await check();
    } catch (error) {
      finding = problem(`cannot be found out: ${(error as Error).message}`, "See the message.");
    } finally {
      over();
    }
    findings[name] = finding;
    if (values.json === true) continue;
    say(`${marks[finding.is]}  ${name}: ${printable(finding.found)}`);
    if (finding.advice !== undefined) say(`         ${paint("gray", "→")} ${finding.advice}`);
  }
  if (values.json === true) say(printableJson(findings, 2));
  if (Object.values(findings).some(({ is }) => is === "problem")) process.exitCode = EXIT.failed;
}
