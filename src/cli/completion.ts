// atexit completion: the words that shells offer after `atexit`, made of the same
// tables that the commands read.

import { say } from "./terminal.ts";
import { UsageError } from "./arguments.ts";

/** Each command, and its options' names. */
export type Commands = Readonly<Record<string, readonly string[]>>;

const SHELLS: Readonly<Record<string, (commands: Commands) => string>> = {
  bash: (commands) => `_atexit() {
  local word="\${COMP_WORDS[COMP_CWORD]}" options=
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${Object.keys(commands).join(" ")} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${Object.entries(commands)
  .map(([name, options]) => `    ${name}) options="${options.map((option) => `--${option}`).join(" ")} --help" ;;`)
  .join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -o default -- "$word")) ;;
  esac
}
complete -o default -F _atexit atexit`,

  zsh: (commands) => `#compdef atexit
_atexit() {
  if (( CURRENT == 2 )); then
    compadd -- ${Object.keys(commands).join(" ")} --help --version
    return
  fi
  case "$words[2]" in
${Object.entries(commands)
  .map(
    ([name, options]) =>
      `    ${name}) [[ "$PREFIX" == -* ]] && compadd -- ${[...options, "help"].map((o) => `--${o}`).join(" ")} ;;`,
  )
  .join("\n")}
  esac
  [[ "$PREFIX" == -* ]] || _files
}
compdef _atexit atexit`,

  fish: (commands) =>
    [
      `complete -c atexit -n __fish_use_subcommand -f -a "${Object.keys(commands).join(" ")}"`,
      ...Object.entries(commands).flatMap(([name, options]) =>
        [...options, "help"].map(
          (option) => `complete -c atexit -n "__fish_seen_subcommand_from ${name}" -l ${option}`,
        ),
      ),
    ].join("\n"),
};

export function completionCommand([shell, ...rest]: readonly string[], commands: Commands): void {
  const make = shell === undefined ? undefined : SHELLS[shell];
  if (make === undefined || rest.length > 0) {
    throw new UsageError(`atexit completion takes one of ${Object.keys(SHELLS).join(", ")}`);
  }
  say(make(commands));
}
