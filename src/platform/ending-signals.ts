// Which signals end a process, by family of systems, each with its reason.
// Sources: signal(7), https://nodejs.org/api/process.html#signal-events.

/**
 * The signals that a POSIX system sends to end a process, and that Windows has as well.
 *
 * - SIGHUP: the terminal was closed
 * - SIGINT: Ctrl-C
 * - SIGTERM: asked to end: kill, docker stop, systemd, Kubernetes
 */
export const EVERYWHERE: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGTERM"];

/**
 * - SIGQUIT: Ctrl-\
 * - SIGABRT: from outside; abort() itself still ends the process at once
 * - SIGALRM: alarm(2) by the process that started the program; so SIGVTALRM
 * - SIGXCPU: the soft limit of processor time; the hard one kills
 * - SIGUSR2: nodemon and others ask for a restart with it
 * - SIGTRAP, SIGSYS
 */
export const ON_POSIX: readonly NodeJS.Signals[] = [
  ...EVERYWHERE,
  "SIGQUIT",
  "SIGABRT",
  "SIGALRM",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGUSR2",
  "SIGTRAP",
  "SIGSYS",
];

/** The numbers that POSIX gives, so that node:os need not be loaded. Source: POSIX.1-2024, the kill utility. */
export const POSIX_NUMBERS: ReadonlyMap<string, number> = new Map([
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGQUIT", 3],
  ["SIGABRT", 6],
  ["SIGALRM", 14],
  ["SIGTERM", 15],
]);
