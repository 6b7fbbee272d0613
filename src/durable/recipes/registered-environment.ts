// The environment in which a command is run: that of its registration, not that of
// the process that runs it. Only variables that commands go by are written down; of
// the others a digest, by which a guard knows whether it was started with the same.

import { digestOf } from "../../platform/digest.ts";
import { HELPER, OF_THIS_PROCESS } from "../../platform/node-options.ts";
import { environment } from "../../platform/process.ts";
import type { ReplayContext } from "./recipe-kind.ts";

export interface RegisteredEnvironment {
  /** The environment of its registration, as far as commands go by it, with what was asked for. */
  readonly env: Readonly<Record<string, string>>;
  /** A digest of all other variables, where there were any. */
  readonly others?: string;
}

/** Variables that say who and where one is, and which server a client of a well-known kind talks to, and as whom. */
const KEPT =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TMP|TEMP|LD_LIBRARY_PATH|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|(?:https?|no|all)_proxy|DOCKER_\w+|COMPOSE_\w+|CONTAINER_HOST|KUBECONFIG|KUBERNETES_\w+|PG\w+|MYSQL_\w+|REDIS\w*|AWS_\w+|AZURE_\w+|GOOGLE_\w+|CLOUDSDK_\w+|VAULT_\w+|CONSUL_\w+|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE|PROGRAMDATA|PROGRAMFILES)$/i;

/** Variables that shells set for themselves, and those that differ for a helper. */
const NOT_COMPARED = new Set(["_", "PWD", "OLDPWD", "SHLVL", HELPER, ...OF_THIS_PROCESS]);

/** Variables that say what a command is about: the same one is about another thing with others. None that a session gives anew. */
const TARGETS =
  /^(?:DOCKER_(?:HOST|CONTEXT)|COMPOSE_(?:PROJECT_NAME|FILE|PROFILES)|CONTAINER_HOST|KUBECONFIG|PG(?:HOST|PORT|DATABASE|SERVICE)|MYSQL_(?:HOST|TCP_PORT)|AWS_(?:PROFILE|REGION|DEFAULT_REGION)|VAULT_ADDR|CONSUL_HTTP_ADDR)$/;

/** Returns those of the registered variables that say what a command is about. */
export function targetsIn(env: Readonly<Record<string, string>>): [name: string, value: string][] {
  return Object.entries(env)
    .filter(([name]) => TARGETS.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @param given what was asked for in addition */
export function registeredEnvironment(given: Readonly<Record<string, string>> = {}): RegisteredEnvironment {
  const all = Object.entries(environment()) as [string, string][];
  const env = { ...Object.fromEntries(all.filter(([name]) => KEPT.test(name))), ...given };
  const others = digestOfOthers(all);
  return others === undefined ? { env } : { env, others };
}

/** Reports whether the process that carries a recipe out has been given the other variables, too. */
export function hasOthers({ others }: RegisteredEnvironment, { isGuard }: ReplayContext): boolean {
  return isGuard && digestOfOthers(Object.entries(environment()) as [string, string][]) === others;
}

function digestOfOthers(all: readonly (readonly [string, string])[]): string | undefined {
  const others = all.filter(([name]) => !KEPT.test(name) && !NOT_COMPARED.has(name));
  if (others.length === 0) return undefined;
  return digestOf(
    others
      .map(([name, value]) => `${name}=${value}\n`)
      .sort()
      .join(""),
  );
}
