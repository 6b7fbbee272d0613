// A security descriptor of Windows, as text: who owns a file, and who may do what with
// it. Accounts are told by SIDs, which no language of the system translates. Sources:
// Microsoft's "Security Descriptor String Format", "ACE Strings", "SID Strings" and
// "File Access Rights Constants".

export interface SecurityDescriptor {
  /** A SID, or the abbreviation of one that is not the same on all machines. */
  readonly owner: string;
  /** What is permitted; what is refused only takes of that. */
  readonly permits: readonly Permit[];
}

interface Permit {
  readonly account: string;
  /** Bits of an access mask. */
  readonly rights: number;
  /** Whether it is only for what is in the directory. */
  readonly isInherited: boolean;
}

/** The abbreviations of SIDs that are the same on all machines, where it matters whose they are. */
const SIDS: ReadonlyMap<string, string> = new Map([
  ["WD", "S-1-1-0"],
  ["CO", "S-1-3-0"],
  ["OW", "S-1-3-4"],
  ["IU", "S-1-5-4"],
  ["AU", "S-1-5-11"],
  ["SY", "S-1-5-18"],
  ["LS", "S-1-5-19"],
  ["NS", "S-1-5-20"],
  ["BA", "S-1-5-32-544"],
  ["BU", "S-1-5-32-545"],
  ["BG", "S-1-5-32-546"],
]);

const ADD_FILE = 0x2;
const ADD_SUBDIRECTORY = 0x4;
const WRITE_ATTRIBUTES_OF_ALL_KINDS = 0x110;
const DELETE_CHILD = 0x40;
const DELETE = 0x1_0000;
const WRITE_ACCESS_LIST = 0x4_0000;
const WRITE_OWNER = 0x8_0000;
const GENERIC_ALL = 0x1000_0000;
const GENERIC_WRITE = 0x4000_0000;

/** The abbreviations of rights: all, of any kind; those of files; and single bits. */
const RIGHTS: ReadonlyMap<string, number> = new Map([
  ["GA", GENERIC_ALL],
  ["GX", 0x2000_0000],
  ["GW", GENERIC_WRITE],
  ["GR", 0x8000_0000],
  ["FA", 0x1f_01ff],
  ["FR", 0x12_0089],
  ["FW", 0x12_0116],
  ["FX", 0x12_00a0],
  ["CC", 0x1],
  ["DC", ADD_FILE],
  ["LC", ADD_SUBDIRECTORY],
  ["SW", 0x8],
  ["RP", 0x10],
  ["WP", 0x20],
  ["DT", DELETE_CHILD],
  ["LO", 0x80],
  ["CR", 0x100],
  ["SD", DELETE],
  ["RC", 0x2_0000],
  ["WD", WRITE_ACCESS_LIST],
  ["WO", WRITE_OWNER],
]);

/** The owner, the group, and the access list; what may follow is for the auditor. */
const WHOLE = /^O:(S-[\d-]+|[A-Z]{2})(?:G:(?:S-[\d-]+|[A-Z]{2}))?D:(?:P|AR|AI)*((?:\([^()]*\))*)(?:S:.*)?$/;

/** One entry: its type, its flags, its rights, two GUIDs, and the account. */
const ENTRY = /^([A-Z]+);((?:[A-Z]{2})*);(0x[\da-f]+|(?:[A-Z]{2})*);[^;]*;[^;]*;(S-[\d-]+|[A-Z]{2})$/i;

/** Reads a descriptor; `undefined` where not all of it is understood, or there is no list, so that all may do all. */
export function parseDescriptor(text: string): SecurityDescriptor | undefined {
  const [, owner, list] = WHOLE.exec(text) ?? [];
  if (owner === undefined || list === undefined) return undefined;
  const permits: Permit[] = [];
  for (const entry of list.slice(1, -1).split(")(")) {
    if (entry === "") continue;
    const [, type = "", flags = "", words = "", account = ""] = ENTRY.exec(entry) ?? [];
    const rights = rightsOf(words);
    if (/^O?D$/.test(type)) continue;
    if (!/^O?A$/.test(type) || rights === undefined) return undefined;
    permits.push({ account: sidOf(account), rights, isInherited: /^(?:..)*IO/.test(flags) });
  }
  return { owner: sidOf(owner), permits };
}

function sidOf(text: string): string {
  return SIDS.get(text) ?? text;
}

function rightsOf(text: string): number | undefined {
  if (text.startsWith("0x")) return Number(text);
  const bits = (text.match(/../g) ?? []).map((word) => RIGHTS.get(word));
  return bits.reduce((all, each) => (all === undefined || each === undefined ? undefined : all | each), 0);
}

/** Who may do anything on a machine as it is: the system, its installer, and administrators. */
const OF_THE_SYSTEM: ReadonlySet<string> = new Set([
  "S-1-5-18",
  "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
  "S-1-5-32-544",
  "LA", // the administrator that each machine has
]);

/** Who stands for the owner of a file: CREATOR OWNER, OWNER RIGHTS. */
const THE_OWNER: ReadonlySet<string> = new Set(["S-1-3-0", "S-1-3-4"]);

/** The names of those whom a reader knows by no number. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["S-1-1-0", "Everyone"],
  ["S-1-5-4", "INTERACTIVE"],
  ["S-1-5-11", "Authenticated Users"],
  ["S-1-5-32-545", "Users"],
  ["S-1-5-32-546", "Guests"],
]);

/** What lets an account have another directory in the place of one. */
const REPLACES = DELETE | DELETE_CHILD | WRITE_ACCESS_LIST | WRITE_OWNER | GENERIC_ALL;

/** What lets an account put something into it, or make a link of it while it is empty. */
const WRITES = REPLACES | ADD_FILE | ADD_SUBDIRECTORY | WRITE_ATTRIBUTES_OF_ALL_KINDS | GENERIC_WRITE;

/**
 * Returns who but an account, the system and administrators may write to a directory, or
 * `undefined`.
 *
 * @param me the account's SID
 * @param what the directory itself; one that it is in, where others may make entries of
 *   their own; or the root of a drive, which nobody can remove
 */
export function whoElseWrites(
  { owner, permits }: SecurityDescriptor,
  me: string,
  what: "itself" | "above" | "root",
): string | undefined {
  const isOther = (account: string) => account !== me && !OF_THE_SYSTEM.has(account);
  if (isOther(owner)) return `${nameOf(owner)}, whose it is,`;
  const isItself = what === "itself";
  const wanted = isItself ? WRITES : what === "root" ? REPLACES & ~DELETE : REPLACES;
  const found = permits.find(
    ({ account, rights, isInherited }) =>
      isOther(account) && !THE_OWNER.has(account) && (isItself || !isInherited) && (rights & wanted) !== 0,
  );
  return found === undefined ? undefined : nameOf(found.account);
}

function nameOf(account: string): string {
  const name = NAMES.get(account);
  return name === undefined ? `the account ${account}` : `${name} (${account})`;
}
