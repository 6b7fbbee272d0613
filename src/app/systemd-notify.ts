// The service manager's protocol: sd_notify(3), datagrams to NOTIFY_SOCKET.
//
// Node has no datagram sockets of the AF_UNIX family, so a program that the
// system has sends them. They come from another pid than this one's: the unit
// needs NotifyAccess=all.

import { spawn } from "node:child_process";
import { process } from "../platform/process.ts";

/** A program that can send a datagram. */
interface Speaker {
  readonly command: string;
  readonly args: (message: readonly string[], address: string) => readonly string[];
}

/** The known programs. Abstract sockets begin with `@` in the variable, and with a zero byte in truth. */
const speakers: readonly Speaker[] = [
  { command: "systemd-notify", args: (message) => ["--", ...message] },
  {
    command: "perl",
    args: (message, address) => [
      "-MSocket",
      "-e",
      `my ($to, @lines) = @ARGV; $to =~ s/^@/\\0/;
       socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
       send($s, join("\\n", @lines), 0, pack("S a*", AF_UNIX, $to)) or die $!;`,
      address,
      ...message,
    ],
  },
  {
    command: "python3",
    args: (message, address) => [
      "-c",
      `import socket, sys
to = sys.argv[1]
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(
    "\\n".join(sys.argv[2:]).encode(), "\\0" + to[1:] if to[0] == "@" else to)`,
      address,
      ...message,
    ],
  },
];

/** How long a message may take, in milliseconds. */
const SENT_WITHIN = 2_000;

/** Sends messages to the service manager, one after the other. */
export class ServiceManager {
  readonly #address: string;
  readonly #candidates: Speaker[] = [...speakers];
  #sent: Promise<void> = Promise.resolve();
  #hasWarned = false;

  constructor(address: string) {
    this.#address = address;
  }

  /** Sends a message. @returns a promise that resolves when it has been sent, or could not be */
  notify(fields: Readonly<Record<string, string | number>>): Promise<void> {
    // A line break would begin another field.
    const message = Object.entries(fields).map(([key, value]) => `${key}=${String(value).replace(/\s*\n\s*/g, " ")}`);
    this.#sent = this.#sent.then(() => this.#send(message));
    return this.#sent;
  }

  /** Resolves when all messages have been sent. */
  flushed(): Promise<void> {
    return this.#sent;
  }

  async #send(message: readonly string[]): Promise<void> {
    let why = "";
    while (this.#candidates.length > 0) {
      const [{ command, args }] = this.#candidates as [Speaker];
      const outcome = await run(command, args(message, this.#address));
      if (outcome === undefined) return;
      why = `${command}: ${outcome}`;
      if (this.#candidates.length === 1) break;
      this.#candidates.shift();
    }
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    process.emitWarning(
      `The service manager at ${this.#address} cannot be told anything (${why}). Install systemd-notify, perl or python3, or use Type=exec.`,
      { code: "ERR_ATEXIT_NOTIFY" },
    );
  }
}

/** Runs a program to its end. @returns what went wrong, if anything */
function run(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], timeout: SENT_WITHIN });
    let said = "";
    child.stderr.on("data", (chunk) => (said += String(chunk)));
    child.once("error", ({ message }) => resolve(message));
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : said.trim() || String(signal ?? code)));
  });
}

/** Returns how often the watchdog expects a message, in microseconds, or `undefined` where none is set. */
export function watchdogOf({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  const time = Number(WATCHDOG_USEC);
  if (!Number.isFinite(time) || time <= 0) return undefined;
  return WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid ? time : undefined;
}
