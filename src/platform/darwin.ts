// macOS. Untested on a real one.

import { posix } from "./posix.ts";
import { mayHaveStartedBy } from "./ps.ts";
import { statfsType } from "./statfs-type.ts";
import type { System } from "./system.ts";

/** HFS+, APFS. Source: macOS' mount_hfs, mount_apfs. */
const LOCAL = new Set([0x11, 0x17, 0x1a]);

/** The value on macOS, whatever the system is that this is bundled on. */
const O_NONBLOCK = 0x4;

export const darwin: System = /* @__PURE__ */ onPosix({
  name: "macOS",

  /**
   * APFS numbers no file again; there the time of birth moves with a time of change that
   * is set back. Source: Apple File System Reference, j_inode_key_t.
   */
  givesInodesAgain: false,
  /** O_EXLOCK and O_SHLOCK, each with O_NONBLOCK. Source: open(2) of macOS. */
  openLocks: { exclusive: 0x20 | O_NONBLOCK, shared: 0x10 | O_NONBLOCK, busy: ["EAGAIN", "EWOULDBLOCK"] },
  mayHaveStartedBy,
  isLocal: (path) => LOCAL.has(statfsType(path) ?? 0),
});

function onPosix(own: Partial<System>): System {
  return { ...posix, ...own };
}
