// The layers of the sources, as rules: each imports only what stands above it in
// this list, types counted, and there is no circle. docs/decisions.md has the
// same as a map.

/** From the top; no file is in two layers. */
const LAYERS = {
  platform: "^src/platform/",
  errors: "^src/errors/",
  settings: "^src/settings/",
  registry: "^src/registry/",
  diagnostics: "^src/diagnostics/",
  execution: "^src/execution/",
  exits: "^src/exits/",
  thread: "^src/thread/",
  "public-module": "^src/index\\.ts$",
  "trace-on-disk": "^src/trace/(trace-event|trace-file|trace-path|open-handles)\\.ts$",
  trace: "^src/trace/(?!(trace-event|trace-file|trace-path|open-handles)\\.ts$)",
  "durable-settings": "^src/durable/(settings|json-value)\\.ts$",
  "durable-journal-names": "^src/durable/journal/(directory|file-name|format|life-file)\\.ts$",
  "durable-lock": "^src/durable/lock/",
  "durable-helper": "^src/durable/helper/",
  "durable-recipes": "^src/durable/recipes/",
  "durable-journal": "^src/durable/journal/(journal-file|reader|writer)\\.ts$",
  "durable-replay": "^src/durable/replay/",
  "durable-guard": "^src/durable/guard/",
  "durable-public-module": "^src/durable/(index|open-journal|thread-journal)\\.ts$",
  resources: "^src/resources/",
  lease: "^src/lease/",
  keeper: "^src/keeper/",
  engines: "^src/(postgres|etcd|kubernetes)/",
  app: "^src/app/",
  scope: "^src/scope/",
  compat: "^src/compat/",
  "cli-and-tour": "^src/(cli|tour)/",
};

const names = Object.keys(LAYERS);
const paths = Object.values(LAYERS);

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...names.slice(0, -1).map((name, index) => ({
      name: `${name}-imports-nothing-below-it`,
      severity: "error",
      from: { path: paths[index] },
      to: { path: paths.slice(index + 1) },
    })),
    {
      name: "every-source-is-in-a-layer",
      severity: "error",
      from: {},
      to: { path: "^src/", pathNot: paths },
    },
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-unresolved",
      severity: "error",
      from: { path: "^(src|test)/" },
      to: { couldNotResolve: true, pathNot: "^(publint|aedes)" },
    },
    {
      name: "no-dependency-at-run-time",
      comment: "What users install is this package alone; the tour looks for peers by their names.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/tour/" },
      to: { path: "(^|/)node_modules/", pathNot: "(^|/)node_modules/@types/node/" },
    },
    {
      name: "sources-know-no-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|examples|bench|scripts)/" },
    },
    { name: "tests-know-no-examples", severity: "error", from: { path: "^test/" }, to: { path: "^examples/" } },
    { name: "examples-know-no-tests", severity: "error", from: { path: "^examples/" }, to: { path: "^test/" } },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^test/(package/types|registry/using.test)\\.ts$" },
  },
};
