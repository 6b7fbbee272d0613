// Has node.exe under Wine refuse what Windows refuses, and Wine does not: to set the
// end of a file through a descriptor that was opened for appending, since that has no
// FILE_WRITE_DATA. Sources: libuv's fs__open, Microsoft's ZwSetInformationFile.

"use strict";

const fs = require("node:fs");
const { closeSync, ftruncateSync, openSync } = fs;

const appending = new Set();

fs.openSync = (path, flags, mode) => {
  const fd = openSync(path, flags, mode);
  const appends = typeof flags !== "string" ? (flags & fs.constants.O_APPEND) !== 0 : flags.startsWith("a");
  if (appends) appending.add(fd);
  return fd;
};

fs.closeSync = (fd) => {
  appending.delete(fd);
  closeSync(fd);
};

fs.ftruncateSync = (fd, length) => {
  if (!appending.has(fd)) return ftruncateSync(fd, length);
  throw Object.assign(new Error("EPERM: operation not permitted, ftruncate"), { code: "EPERM", syscall: "ftruncate" });
};

require("node:module").syncBuiltinESMExports();
