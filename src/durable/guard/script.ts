// The guard: a POSIX shell that reads a pipe whose other end only the owner
// holds. However the owner dies, the kernel closes that end.
//
// A waiting guard costs 0.1 MB of its own. It ignores every signal it can, since
// a program that kills a process often kills its descendants, too.

import { OWNER_IS_ALIVE } from "../replay/exit-status.ts";
import { SYSTEM_PATH } from "../../platform/system-programs.ts";

/**
 * Arguments: the journal, the program that carries journals out, where a copy of it
 * is kept (or ""), the owner's pid and start, what names of journals of this boot and
 * pid namespace begin with, the view of the file system, whether this system alone
 * uses the journal's file system ("local" or ""), and the command line that runs
 * JavaScript. Descriptor 3 is the journal as the owner has opened it, so that a lock
 * on it is the owner's as well, and also ends with it.
 */
export const GUARD_SCRIPT = `
trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE VTALRM XCPU
journal=$1 replay=$2 copy=$3 pid=$4 start=$5 here=$6 view=$7 reach=$8
boot=\${here%%-*}- over= looks=0 alive=\${journal%.jsonl}.alive
shift 8 # what is left is the command line that runs JavaScript
PATH=${SYSTEM_PATH}
export PATH

# Somebody may be asking just now whether it is held. Across a network a lock tells nothing.
[ "$reach" = local ] && for pause in 0.1 1 0; do
  # By its descriptor: by its name, a journal that is gone by now would be made anew.
  flock -n 3 2>/dev/null && [ -e "$journal" ] && echo '{"locked":true}' 2>/dev/null >>/proc/self/fd/3 && break
  command -v flock >/dev/null || break
  sleep $pause
done

# Is the process alive that has this pid, and started then?
is_alive() {
  [ -e /proc/self/stat ] || { kill -0 "$1" 2>/dev/null; return; }
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  since=$2
  set -- \${stat##*) }
  [ "\${20}" = "$since" ]
}

# Are there journals of dead processes, whose guards died too?
directory=\${journal%/*}
# The kernel lock of an owner tells that it lives only where its journal says that there is one.
locked() {
  lines=0
  while [ $lines -lt 50 ] && read -r line; do
    [ "$line" = '{"locked":true}' ] && return
    lines=$((lines + 1))
  done
  return 1
}
for file in "$directory"/*-*-*-*-*-*.jsonl "$directory"/*-*.claim "$directory"/*.left-*; do
  [ "$file" = "$journal" ] && continue # the guard's own business, below
  [ -f "$file" ] && [ ! -L "$file" ] || continue
  name=\${file##*/}
  case $name in
    *.claim) name=\${name#*.jsonl.} ;;
    *.left-"$view") continue ;; # no more could be done here
  esac
  case $name in
    "$here"*) owner=\${name#"$here"} owner=\${owner#*-} since=\${owner#*-} since=\${since%%-*} owner=\${owner%%-*} ;;
    *) owner= ;;
  esac
  if [ -n "$owner" ]; then
    # A container that was started again has the first pid once more.
    is_alive "$owner" "$since" && continue
  else
    # Of another boot or pid namespace: where its lock is held, somebody lives there.
    [ "$reach" = local ] || continue
    case $name in
      "$boot"*) locked <"$file" 2>/dev/null || continue ;;
    esac
    # Each look takes a process: more of them would be too late for the owner's death.
    looks=$((looks + 1)); [ $looks -le 16 ] || continue
    flock -n "$file" true 2>/dev/null || ! command -v flock >/dev/null || continue
  fi
  "$@" "$replay" --recover "$directory" </dev/null 3>&- &
  break
done

# The owner says which recipes are over that it may not write down any more.
while read -r id; do
  case $id in
    '' | *[!0-9]*) ;;
    *) over="$over $id" ;;
  esac
done
# What is younger than this was not made by the owner. (Where ":" cannot write, the shell ends.)
died() { [ ! -s "$journal" ] || true >"$journal.died"; }
died 2>/dev/null

# The package may have been removed or upgraded while its owner ran.
[ -n "$copy" ] && [ -f "$copy" ] && replay=$copy
tries=0
while [ -s "$journal" ] || [ -e "$journal.next" ]; do
  "$@" "$replay" --guard "$journal" $over </dev/null
  case $? in
    0) break ;;
    ${OWNER_IS_ALIVE}) while sleep 2; do is_alive "$pid" "$start" || break; done; died ;;
    *) tries=$((tries + 1)); [ $tries -lt 3 ] || exit; sleep 1 ;;
  esac
done
[ -s "$journal" ] || [ -e "$journal.next" ] || rm -f "$journal"
# The owner's end may have cut off its own writing of the copy, too.
[ -n "$copy" ] && rm -f "$copy.$pid-$start-"*.tmp
rm -f "$journal.died" "$alive"
`;
