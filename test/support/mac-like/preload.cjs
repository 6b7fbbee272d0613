// Has a Node on Linux look like one on macOS, as far as JavaScript can see it; see
// bed.ts. What macOS has and Linux has not is done by what Linux has instead.

"use strict";

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");

// A runner of tests gives its children what it was given itself: once is enough.
if (process.platform !== "darwin") {
  Object.defineProperty(process, "platform", { value: "darwin", enumerable: true, configurable: true });
  process.execPath = process.env.MAC_LIKE_NODE;

  // APFS has a file no younger than its time of change.
  for (const name of ["fstatSync", "lstatSync", "statSync"]) {
    const real = fs[name];
    fs[name] = (...args) => {
      const stats = real(...args);
      if (stats !== undefined && typeof stats.mtimeMs === "number") {
        stats.birthtimeMs = Math.min(stats.birthtimeMs, stats.mtimeMs);
      }
      return stats;
    };
  }

  const { statfsSync } = fs;
  fs.statfsSync = (...args) => Object.assign(statfsSync(...args), { type: 0x1a }); // APFS

  // O_SHLOCK, O_EXLOCK and O_NONBLOCK as macOS numbers them: bits that Linux does not know.
  const SHARED = 0x10;
  const EXCLUSIVE = 0x20;
  const NONBLOCK = 0x4;
  const { closeSync, openSync } = fs;
  fs.openSync = (path, flags, mode) => {
    const wanted = typeof flags === "number" ? flags & (SHARED | EXCLUSIVE) : 0;
    if (wanted === 0) return openSync(path, flags, mode);
    const fd = openSync(path, flags & ~(SHARED | EXCLUSIVE | NONBLOCK), mode);
    const kind = wanted === EXCLUSIVE ? "-x" : "-s";
    const { status } = spawnSync(process.env.MAC_LIKE_FLOCK, ["-n", kind, "3"], {
      stdio: ["ignore", "ignore", "ignore", fd],
    });
    if (status === 0) return fd;
    closeSync(fd);
    throw Object.assign(new Error("EAGAIN: resource temporarily unavailable, open"), {
      code: "EAGAIN",
      syscall: "open",
    });
  };

  // uv_uptime() of macOS goes by the time of day.
  const bootedAt = Date.now() / 1_000 - os.uptime();
  os.uptime = () => Math.floor(Date.now() / 1_000 - bootedAt);

  require("node:module").syncBuiltinESMExports();
}
