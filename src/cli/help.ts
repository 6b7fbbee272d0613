// The texts of --help, of the whole and of each command.

const EXIT_CODES = `Exit status of atexit run: the command's own, also where it dies by a signal.
  75   the lock is held            125  atexit itself has failed
  126  it cannot be executed       127  there is no such command
  2    the command line makes no sense
As PID 1 it ends with 128 + the signal's number, where the command dies by one.`;

export const help: Readonly<Record<string, string>> = {
  "": `atexit: cleanups that happen, however a program ends

  atexit run [OPTIONS] -- COMMAND…   run any program, and clean up after it
  atexit ps                          live processes, and what they would clean up
  atexit migrate --from URL          PostgreSQL's schema for leases and recipes
  atexit recover                     carry out what dead processes have left
  atexit keeper --from URL           carry out what processes of dead machines have left
  atexit dead-letters --from URL     what keepers could not carry out
  atexit log                         what was carried out for dead processes
  atexit report FILE…                a picture of what a shutdown did
  atexit doctor                      what this machine can and cannot cover
  atexit tour                        real processes, ended in each way
  atexit completion SHELL            completions for bash, zsh or fish

  atexit COMMAND --help              more of one
  atexit --version

Environment: ATEXIT_DIR, ATEXIT_GRACE, ATEXIT_GUARD, ATEXIT_TRACE, ATEXIT_REPORT,
NO_COLOR.
`,
  run: `atexit run [OPTIONS] -- COMMAND…

Runs a command. Signals, standard input, the terminal and the exit status are
passed through. When it ends, and when atexit itself is killed, what was asked
for is undone, last in, first out: first the command's descendants are ended.

  --rm PATH           remove a file or a directory, there now or made later
  --on-exit 'CMD…'    run a command; quotes as in a shell, and nothing else of it
  --lock PATH         one at a time: end with 75 where another one runs; taken
                      before, and let go after, all others
  --lease NAME        one at a time on all machines that ask the same engine: end
                      with 75 where another one runs, or when the lease is lost;
                      ATEXIT_TOKEN in the command's environment is for a fence
  --from URL          the engine: postgres://… or http://… of etcd; by default
                      ATEXIT_FROM, which shows in no list of processes
  --ttl TIME          how long this machine may be silent before others take the
                      lease (15s); when it is lost the command has a fifth to end
  --wait TIME         wait so long for the lock or the lease
  --temp-dir VAR      make a private directory, and put its path into VAR
  --grace TIME        kill the command so long after SIGTERM, and its descendants
                      so long after its end (5s); by default the command may take
                      its time
  --end-with-parent   end when whoever started this is gone

Each may be given several times, but for --from, --ttl, --wait
and --grace. Times: 500ms, 10s, 1.5m.

  atexit run --lease nightly --from "$DATABASE_URL" -- ./report.sh
  atexit run --lock ~/.local/state/backup.lock -- ./backup.sh
  atexit run --temp-dir WORK --on-exit 'docker compose down' -- npm test

${EXIT_CODES}
`,
  ps: `atexit ps [--json] [--from URL]

The live processes that have something pending: pid, age, program, and what they
would clean up, in that order.

  --from URL   the leases and recipes there instead: who holds and has planted them,
               since when
`,
  migrate: `atexit migrate --from URL [--grant ROLE] [--keeper ROLE]

Applies the schema that leases and recipes take in PostgreSQL, or brings it up to
date; it may be run again.

  --from URL      postgres://…, as a user who may create schemas
  --grant ROLE    lets a role take leases and plant recipes; may be given several times
  --keeper ROLE   lets a role carry recipes out; may be given several times
`,
  keeper: `atexit keeper --from URL --actions FILE [OPTIONS]

Carries out what processes have planted that are gone with their machines, until
it is stopped, and prints a line of JSON for each. Any number of them may run, on
any machines. It is a deputy: run it with rights for exactly its actions. systemd
and Kubernetes are told when it is ready, and when it ends.

  --from URL           where recipes are: postgres://… or http://… of etcd; by
                       default ATEXIT_FROM, which shows in no list of processes
  --actions FILE       the module that exports the actions: what it does not export
                       is not carried out, whoever asks
  --allow ACTION=USER  only these users of the database may ask for this action;
                       may be given several times, and USER,USER
  --concurrency N      so many owners at a time (10)
  --timeout TIME       how long one action may take (60s)
  --tries N            how often a recipe is tried before it is a dead letter (8)
  --ttl TIME           how long this keeper may be silent before others take over
                       (15s)
  --probes PORT        answers /livez, /startupz and /readyz there

  ATEXIT_FROM="$DATABASE_URL" atexit keeper --actions ./cleanups.js
`,
  "dead-letters": `atexit dead-letters --from URL [--retry ID] [--forget ID] [--json]

What keepers could not carry out: it has failed too often, or was refused. Ends
with 1 where there is any.

  --retry ID    has it tried again; may be given several times
  --forget ID   forgets it; may be given several times
`,
  recover: `atexit recover [--dry-run] [--json]
atexit recover --from URL --actions FILE [--allow ACTION=USER] [--ttl TIME] [--json]

Carries out what dead processes have left: those whose guard was killed, too. With
--from, what those have planted there who are dead, or silent for a whole ttl from
now on: one round of atexit keeper, for cron and CI.
  -n, --dry-run   show it, and do nothing

Ends with 1 where something failed, was refused or was left alone.
`,
  log: `atexit log [--lines N] [--json]

What was carried out for dead processes: when, for whom, with what outcome.
  -n, --lines N   the last N alone
`,
  report: `atexit report FILE… [--format FORMAT] [-o OUT] [--rows N]

What a shutdown did, how long it took, and what it waited for, from the traces
that ATEXIT_TRACE has written: files, or a directory of them. Of several
shutdowns of one program it tells what changed, and shows the longest.

  --format FORMAT   terminal (waterfall, blame and critical path), html, svg,
                    trace (for Perfetto and chrome://tracing), json; by default
                    what OUT ends in, or else terminal
  -o, --output OUT  write it to this file
  --rows N          so many cleanups of each shutdown: those that did not end
                    well, and the longest

  ATEXIT_TRACE=shutdown.json node server.js
  atexit report shutdown.json -o shutdown.html

ATEXIT_REPORT=1 prints the waterfall at the end of any program.
`,
  doctor: `atexit doctor [--json] [--from URL]

What this machine, container and runtime can and cannot cover, found out by
trying, each with what to do about it. Ends with 1 where something is not covered.

  --from URL   the engine there instead: its schema, rights, standby servers and
               pooler, or its members; takes a lease, and gives it back
`,
  tour: `atexit tour [PART OF A NAME]

Ends real processes in each way that there is, and shows for each what was
cleaned up, in which order, with which status, beside what bare Node gives. Where
ATEXIT_FROM names an engine, it shows how a lease goes from one to the next as well.
`,
  completion: `atexit completion bash|zsh|fish

Prints completions:
  bash   source <(atexit completion bash)
  zsh    source <(atexit completion zsh)
  fish   atexit completion fish | source
`,
};
