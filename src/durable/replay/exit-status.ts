// The exit status by which the program that replays a journal informs the guard.

/** The status of a replay whose owner is alive after all: it has become another program by execve(2). */
export const OWNER_IS_ALIVE = 75;
