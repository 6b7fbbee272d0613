/** What leaves nothing of two cores to others, or measures times in tens of milliseconds, runs when they have ended. */
export const ALONE = [
  "app/service-manager",
  "execution/misbehaviour",
  "resources/lock-stress",
  "engines/etcd",
  "engines/postgres",
];
