// openRegularFile: what is no regular file neither blocks nor stays open.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { openRegularFile } from "../../src/platform/regular-file.ts";
import { withDirectory } from "../support/run.ts";

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = constants;

const openDescriptors = () => readdirSync("/proc/self/fd").length;

test("a regular file is opened, and made, with its mode", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "file");
    const made = openRegularFile(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    writeSync(made.fd, "text");
    closeSync(made.fd);
    const { fd, stats } = openRegularFile(path, O_RDONLY);
    assert.deepEqual([readFileSync(fd, "utf8"), stats.size, stats.mode & 0o777], ["text", 4, 0o600]);
    closeSync(fd);
  }));

test("nothing else is, however it is opened, and no descriptor stays open", () =>
  withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    execFileSync("mkfifo", [at("pipe")]);
    mkdirSync(at("directory"));
    writeFileSync(at("file"), "");
    symlinkSync(at("file"), at("link"));
    symlinkSync(at("pipe"), at("link to a pipe"));
    const server = createServer().listen(at("socket"));
    await once(server, "listening");
    const before = openDescriptors();
    for (const name of ["pipe", "directory", "link", "link to a pipe", "socket", "/dev/null", "/dev/zero"]) {
      const path = name.startsWith("/") ? name : at(name);
      for (const flags of [O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_CREAT]) {
        assert.throws(
          () => openRegularFile(path, flags, 0o600),
          ({ code }: NodeJS.ErrnoException) => ["EFTYPE", "ELOOP", "ENXIO", "EISDIR"].includes(code ?? ""),
          `${name} by ${flags}`,
        );
      }
    }
    assert.equal(openDescriptors(), before);
    server.close();
  }));
