// What the program that replays a journal tells the guard.

/** The status of a replay whose owner turned out to be alive: it has become another program by execve(2). */
export const OWNER_IS_ALIVE = 75;
