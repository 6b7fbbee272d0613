// Sockets on which systemd listens already, so that no client is refused while a
// service starts anew. Source: sd_listen_fds(3).

import { environment, process } from "../platform/process.ts";

/** The first descriptor that is handed over. */
const FIRST = 3;

let taken = 0;

/** Returns the descriptor of the next socket that was handed over to this process and not taken yet. */
export function nextHandedOver(): number | undefined {
  const env = environment();
  // The variables are inherited by children, for whom the sockets are not.
  if (Number(env["LISTEN_PID"]) !== process.pid) return undefined;
  const count = Number(env["LISTEN_FDS"]);
  if (!Number.isInteger(count) || taken >= count) return undefined;
  taken += 1;
  return FIRST + taken - 1;
}
