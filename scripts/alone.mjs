/** What leaves nothing of two cores to others, or measures times in tens of milliseconds, runs when they have ended. */
export const ALONE = [
  "app/service-manager",
  "execution/misbehaviour",
  "resources/lock-stress",
  "engines/clocks",
  "engines/etcd",
  "engines/keeper-faults",
  "engines/postgres",
];

/** What takes long, or changes seldom: it runs with --all, on the Node that runs this, or where it is asked for. */
export const THOROUGH = [
  "app/rolling-restart",
  "cli/report",
  "cli/run-status",
  "compat/peers",
  "crash-points",
  "lease/schedules",
  "package/bundles",
  "package/documentation",
  "package/layers",
  "package/tarball",
  "trace/page",
  "trace/pictures",
];

/** What no version of Node changes: with --all it runs on the Node that runs this. */
export const ON_ONE = ["package/user-types", "systems/mac-like"];
