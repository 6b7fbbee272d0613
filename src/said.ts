// All that this package writes on stderr: reports of cleanups, the report of an
// uncaught error, and what was observed of a shutdown.

import { reportOf } from "./exits/uncaught-report.js";
import { isObserverWanted, observer } from "./observer.js";
import * as reports from "./report.js";

const all = { ...reports, reportOf, isObserverWanted, observer };

export default function said(): typeof all {
  return all;
}
