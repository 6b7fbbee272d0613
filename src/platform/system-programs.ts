// Where the system's own programs are looked for: not along the program's PATH,
// which may begin with a directory of somebody else's programs.

export const SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin";
