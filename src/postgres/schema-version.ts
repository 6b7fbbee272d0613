// Which version of the schema this package has; what atexit.version() returns.

export const SCHEMA_VERSION = 2;
