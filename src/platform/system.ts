// What differs by system, as one interface. Each system answers all of it, in
// linux.ts, darwin.ts, win32.ts, and posix.ts for the BSDs and others; only
// this-system.ts asks which system this is.

import type { Mount } from "./mount-table.ts";

/** What the ways out need to know: it is all that `import "atexit"` loads of a system. */
export interface SystemExits {
  /** The signals whose default is to end the process, and which may be listened to. */
  readonly endingSignals: readonly NodeJS.Signals[];
  /** The signals' numbers that are known without node:os; it tells the others. */
  readonly signalNumbers: ReadonlyMap<string, number>;
  /** Returns the status of a process that a signal ended; only where none can be sent to do so. */
  statusOfSignal?(signal: NodeJS.Signals): number;
  /** Returns how long the system waits for a process after a signal before it ends it, in milliseconds. */
  graceAfter?(signal: NodeJS.Signals | undefined): number;
  /**
   * Opens standard error once more, so that writes do not wait for a reader and those of
   * others do; `undefined` where it is no pipe and no terminal. @throws the system's error
   */
  openStderr?(): number | undefined;
  /** Whether the C library writes text otherwise than as it is: for a console, and with other ends of lines. */
  readonly hasTextStreams?: boolean;
  /** Reports whether another process group has the terminal; only where that is told without a program. */
  isInBackground?(): boolean;
  /** Reports whether the limits on processes and threads leave room for some more; only where these are told. */
  hasRoomForThreads?(): boolean;
}

/** A process that can be seen. */
export interface Process {
  readonly pid: number;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
  /** The letter of ps(1): `Z` of a zombie, `T` of a stopped one. */
  readonly state: string;
  /** When it started, as text that is the same at each reading; clock ticks on Linux. */
  readonly start: string;
  /** Whether it is known by its command line to be a guard, or another helper of this package. */
  readonly isHelper?: boolean;
}

/** What is given to `spawn()`. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
  /** Whether the arguments are quoted already. */
  readonly isVerbatim?: boolean;
}

/** Flags with which open(2) takes a kernel lock that ends with the process, without waiting for one. */
interface OpenLocks {
  /** The flag of a lock that one has; without O_CREAT it makes no file. */
  readonly exclusive: number;
  /** The flag of a lock that many have at a time, or of none that does not succeed where another has the first. */
  readonly shared: number;
  /** The codes of the error where another has the lock. */
  readonly busy: readonly string[];
}

/** The namespaces of a process; "0" each where the system has none. */
export interface Namespaces {
  /** In which pids and starts have a meaning: of pids and, unless it is the first one, of time. */
  readonly pidns: string;
  readonly mntns: string;
  readonly userns: string;
}

/** A thread, as the kernel counts it. */
export interface KernelThread {
  readonly tid: number;
  readonly start: string;
}

/** What all but the ways out need to know. */
export interface System {
  /** Its name for people. */
  readonly name: string;

  // Files

  /** Whether a file has an owner and a mode that say who may do what with it. */
  readonly filesHaveOwners: boolean;
  /**
   * Returns why other accounts could write to a directory, or put another one in its
   * place, or `undefined`; only where access lists say so, and no owner and mode. What
   * cannot be known is a reason. Blocks, for a second, at the first call for a directory.
   */
  whyOpenToOthers?(path: string): string | undefined;
  /** What a directory has to be in which only this user writes, for people. */
  readonly privateDirectory: string;
  /** Whether the number of a file that is gone is given to another one, so that only the time of birth tells them apart. */
  readonly givesInodesAgain: boolean;
  /** The codes of errors of a removal that may pass by themselves: another program has the file open. */
  readonly passingErrors: readonly string[];
  /** Whether the name of an open file that is removed can be given again at once. */
  readonly freesNamesAtOnce: boolean;
  /** Whether a file that is opened for appending can be made shorter through that descriptor. */
  readonly canTruncateAppended: boolean;
  /** Whether a directory can be written through to the disk. */
  readonly canSyncDirectories: boolean;
  /** The flag that opens a file or directory only to name it, also one that may not be read; 0 where there is none. */
  readonly O_PATH: number;
  /** Returns a path that leads to an open directory, whatever is at its own path; `undefined` where there is none. */
  pathOfDescriptor(fd: number): string | undefined;
  /** Returns an absolute path without `.` and `..`, as the system would take it. */
  absolutePath(path: string): string;
  /**
   * Reports whether only this system mounts the file system of a path: its times are
   * of this system's clock, and its kernel locks reach all who use it. What is not
   * known is not local.
   */
  isLocal(path: string): boolean;
  /** Reports whether a path is on overlayfs, where a file of a lower layer is copied when it is first written to. */
  isOverlay(path: string): boolean;
  /** Returns the table of mounts; empty where there is none, and `undefined` where it cannot be read. */
  mounts(): Mount[] | undefined;
  /** Lists the directories for a user's state that the system has beside those of XDG. */
  stateDirectories(env: NodeJS.ProcessEnv): string[];

  /** How open(2) takes a kernel lock; none where it does not. */
  readonly openLocks?: OpenLocks;

  // Programs

  /** The file name of Node. */
  readonly nodeName: string;
  /** Whether a shell can wait as the guard; else it is a Node. */
  readonly hasShell: boolean;
  /** Whether Node can run a module with a backslash in its path. */
  readonly runsBackslashes: boolean;
  /** Returns the file that a command's name leads to; `undefined` where there is none. */
  findProgram(command: string, cwd: string, env: NodeJS.ProcessEnv): string | undefined;
  /** Returns what to start for a command. @throws an error for what cannot be started so */
  commandLineOf(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): CommandLine;
  /** Whether a process, or a group of them, can be asked to end. */
  readonly hasSignals: boolean;

  // Processes

  /** Why this process cannot see others, where `seesOwnPids` is false. */
  readonly whyUnseen: string;
  /** Reports whether two starts are of one process that had the pid at both times. */
  isSameStart(one: string, other: string): boolean;
  /**
   * Lists the processes that are alive, and blocks nothing; only where there are no signals.
   *
   * @param isIdle whether the program may end meanwhile
   */
  processesLater?(isIdle?: boolean): Promise<Process[]>;
  /** Ends processes outright, each where it is still the one that was found; only where there are no signals. */
  endProcesses?(processes: readonly Process[]): Promise<void>;
  /** Whether one process can be looked at without a look at all, or a program that does it. */
  readonly hasCheapLooks: boolean;
  /** Lists the processes that are alive. @param isWanted where it is cheaper, others are left out */
  processes(isWanted?: (pid: number) => boolean): Iterable<Process>;
  /** Returns the process of a pid, if it is alive. */
  processOf(pid: number): Process | undefined;
  /** Returns the process of a pid, also a zombie. */
  childOf(pid: number): Process | undefined;
  /** Returns the pid that was given last; `NaN` where the system does not tell. */
  newestPid(): number;
  /** Reports whether a number is of a thread that is no process. */
  isThread(pid: number): boolean;
  /** Reports whether a pid is of a thread of the kernel, which no signal ends. */
  isOfKernel(pid: number): boolean;
  /** Returns the environment with which a process's program began; empty of one that has ended, `undefined` where it is not told. @throws the system's error */
  environmentOf(pid: number): string | undefined;
  /** Returns the command line of a process; empty where it is not told. */
  commandOf(pid: number): readonly string[];
  /** Reports whether this process can see the pids of its own namespace, and not those of another. */
  seesOwnPids(): boolean;
  /** Reports whether that very process is alive; a zombie is dead. @param start "0" where it is not known */
  isAlive(pid: number, start: string): boolean;
  /**
   * Reports whether the process that has a pid may be one that was there at a time, in
   * milliseconds since 1970, and has lost its locks by execve(2) since.
   */
  mayHaveStartedBy(pid: number, time: number): boolean;
  /**
   * Reports whether a process that cannot be seen from here may have a pid: in another pid
   * namespace, as that of a container. What is not known may be.
   */
  mayBeElsewhere(pid: number): boolean;
  /** Reports whether a thread of a process that is alive is that very one, and alive; `undefined` where it is not told. */
  isThreadAlive(pid: number, thread: KernelThread): boolean | undefined;

  // This process and the system's start

  /** Returns when a process started; "0" where the system does not tell. */
  startOf(pid: number | "self"): string;
  /** Returns this thread; `undefined` where the system does not tell. */
  ownThread(): KernelThread | undefined;
  namespaces(): Namespaces;
  /** Returns the boot id, which changes with every start of the system. */
  bootId(): string;
  /** Returns when the system started, in milliseconds since 1970, by the kernel's own clock. */
  startedAt(): number;
  /** Returns how long the system has been running, in seconds, to 10 ms; `NaN` where it is not told so exactly. */
  exactUptime(): number;
  /** Returns the same, as exactly as it is told. */
  uptime(): number;

  // Terminals

  /** Reports whether the terminal's keys reach this process. */
  isInForeground(): boolean;
  /** Returns the state of a process that may have stopped; `undefined` of one that has ended. */
  stateOf(pid: number | undefined): string | undefined;
}
