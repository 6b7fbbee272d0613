// The environment in which a command is run: that of its registration, not that of
// the process that runs it. Only variables that commands go by are written down.

import { environment } from "../../platform/process.ts";

/** Variables that say who and where one is, and which server a client of a well-known kind talks to, and as whom. */
const KEPT =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TMP|TEMP|LD_LIBRARY_PATH|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|(?:https?|no|all)_proxy|DOCKER_\w+|COMPOSE_\w+|CONTAINER_HOST|KUBECONFIG|KUBERNETES_\w+|PG\w+|MYSQL_\w+|REDIS\w*|AWS_\w+|AZURE_\w+|GOOGLE_\w+|CLOUDSDK_\w+|VAULT_\w+|CONSUL_\w+|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE|PROGRAMDATA|PROGRAMFILES)$/i;

export function registeredEnvironment(): Record<string, string> {
  const kept = Object.entries(environment()).filter(([name, value]) => KEPT.test(name) && value !== undefined);
  return Object.fromEntries(kept) as Record<string, string>;
}
