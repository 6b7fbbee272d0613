// The guard: a POSIX shell that reads a pipe whose other end only the owner
// holds. However the owner dies, the kernel closes that end.
//
// A waiting guard costs 0.1 MB of its own. It ignores every signal it can, since
// a program that kills a process often kills its descendants, too.

import { OWNER_IS_ALIVE } from "../replay/exit-status.ts";

/**
 * Arguments: the journal, Node, the program that carries journals out, the
 * owner's pid and start, and what names of journals of this boot and pid
 * namespace begin with. Descriptor 3 is the journal as the owner has opened it,
 * so that a lock on it is the owner's as well, and also ends with it.
 */
export const GUARD_SCRIPT = `
trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE VTALRM XCPU
journal=$1 node=$2 replay=$3 pid=$4 start=$5 here=$6

# Somebody may be asking just now whether it is held.
for pause in 0.1 1 0; do
  flock -n 3 2>/dev/null && echo '{"locked":true}' >&3 && break
  command -v flock >/dev/null || break
  sleep $pause
done

# Are there journals of dead processes, whose guards died too?
directory=\${journal%/*}
for file in "$directory"/*.jsonl "$directory"/*.claim; do
  [ "$file" = "$journal" ] && continue # the guard's own business, below
  name=\${file##*/}
  case $name in
    *.claim) name=\${name#*.jsonl.} ;;
  esac
  case $name in
    '*'*) continue ;;
    "$here"*) owner=\${name#"$here"} owner=\${owner%%-*} ;;
    *) owner= ;;
  esac
  # Of another boot or pid namespace: where its lock is held, somebody lives there.
  [ -n "$owner" ] || flock -n "$file" true 2>/dev/null || ! command -v flock >/dev/null || continue
  [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null && continue
  "$node" "$replay" --recover "$directory" </dev/null 3>&- &
  break
done

while read -r _; do :; done

alive() {
  read -r stat 2>/dev/null <"/proc/$pid/stat" || return 1
  set -- \${stat##*) }
  [ "\${20}" = "$start" ]
}
tries=0
while [ -s "$journal" ] || [ -e "$journal.next" ]; do
  "$node" "$replay" "$journal" </dev/null
  case $? in
    0) exit ;;
    ${OWNER_IS_ALIVE}) while sleep 2; do alive || break; done ;;
    *) tries=$((tries + 1)); [ $tries -lt 3 ] || exit; sleep 1 ;;
  esac
done
rm -f "$journal"
`;
