/**
 * The file of `--roles`: a JSON array of roles. Pure.
 *
 * Messages do not repeat what the file has: it could be another file, such as a key.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { NonEmpty } from "../../x509/chain.ts";

/** A role as the file has it. The flags have the values that are absent. */
export interface RoleEntry {
  readonly name: string;
  readonly roleArn: string;
  readonly profileArn?: string;
  readonly trustAnchorArn?: string;
  /** Seconds. */
  readonly sessionDuration?: number;
  readonly roleSessionName?: string;
  readonly assumeRoleArn?: readonly string[];
  /** Names or numbers. An empty list is a role of no user. */
  readonly users?: readonly string[];
  readonly tokenFile?: string;
}

/** Limits of the file. */
export const ROLES_FILE_LIMITS = { bytes: 1 << 20, roles: 100, users: 1000, chain: 10 } as const;

/** Names of roles are parts of paths. */
const NAME = /^\w[\w+=,.@-]{0,63}$/;
/** Keys that are shown in messages. Other text could be a secret. */
const SHOWN_KEY = /^[A-Za-z]+(?:[_-][A-Za-z]+)*$/;
const MAX_SHOWN_KEY_LENGTH = 24;

type Refuse = (why: string) => HelperError;
type Read = (value: unknown, refuse: Refuse) => unknown;

const readText: Read = (value, refuse) => {
  if (typeof value === "string" && value !== "") return value;
  throw refuse("is not a text; put it in quotes, or remove the key");
};

const readNumber: Read = (value, refuse) => {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw refuse("is not a whole number; write it without quotes");
};

const readUsers: Read = (value, refuse) => {
  if (!Array.isArray(value)) throw refuse("is not a list; write it in brackets");
  if (value.length > ROLES_FILE_LIMITS.users) {
    throw refuse(`has more than ${ROLES_FILE_LIMITS.users} users; split the role`);
  }
  return value.map((user: unknown) => {
    if (typeof user === "number" && Number.isSafeInteger(user) && user >= 0) return String(user);
    if (typeof user === "string" && user !== "") return user;
    throw refuse("has a user that is neither a name nor a number; correct it");
  });
};

const readChain: Read = (value, refuse) => {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length === 0 || texts.length > ROLES_FILE_LIMITS.chain) {
    throw refuse(`must have 1 to ${ROLES_FILE_LIMITS.chain} ARNs; correct it`);
  }
  return texts.map((text) => readText(text, refuse));
};

/** Readers of the keys. */
const KEYS: Readonly<Record<keyof RoleEntry, Read>> = {
  name: readText,
  roleArn: readText,
  profileArn: readText,
  trustAnchorArn: readText,
  sessionDuration: readNumber,
  roleSessionName: readText,
  assumeRoleArn: readChain,
  users: readUsers,
  tokenFile: readText,
};

/** Returns the name of a role for messages, after the file's. */
export function roleSource(file: string, name: string): string {
  return `${file}: role "${name}"`;
}

/**
 * Parses the file. `file` names it in messages. Throws `usage` if it is not JSON, or not an array of
 * roles with known keys and different names.
 */
export function parseRolesFile(text: string, file: string): NonEmpty<RoleEntry> {
  const refuse: Refuse = (why) => new HelperError("usage", `${file}: ${why}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (thrown) {
    throw refuse(`it is not JSON${placeOf(thrown)}`);
  }
  if (!Array.isArray(parsed)) throw refuse("it is not a JSON array of roles; see commands.md");
  if (parsed.length > ROLES_FILE_LIMITS.roles) {
    throw refuse(`it has more than ${ROLES_FILE_LIMITS.roles} roles; start another serve`);
  }
  const [first, ...others] = parsed.map((value: unknown, i) => parseEntry(value, i + 1, file));
  if (!first) throw refuse("it has no roles; add one");
  const entries: NonEmpty<RoleEntry> = [first, ...others];
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw refuse(`two roles have the name "${name}"; rename one`);
    names.add(name);
  }
  return entries;
}

function parseEntry(value: unknown, number: number, file: string): RoleEntry {
  const refuseEntry: Refuse = (why) => new HelperError("usage", `${file}: role ${number}: ${why}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuseEntry("it is not an object; write it in braces");
  }
  const given = new Map<string, unknown>(Object.entries(value));
  const name = given.get("name");
  const isNamed = typeof name === "string" && NAME.test(name);
  const refuse: Refuse = isNamed
    ? (why) => new HelperError("usage", `${roleSource(file, name)}: ${why}`)
    : refuseEntry;
  // Before missing keys, because it may be one of them, misspelt.
  const unknown = [...given.keys()].find((key) => !isKey(key));
  if (unknown !== undefined) {
    throw refuse(`the key${shownKey(unknown)} is not known; use ${Object.keys(KEYS).join(", ")}`);
  }
  if (name === undefined) throw refuse("name is missing; add it");
  if (!isNamed) throw refuse("name must be 1 to 64 letters, digits or _+=,.@-; change it");
  const entry: Record<string, unknown> = {};
  for (const [key, found] of given) {
    if (isKey(key)) entry[key] = KEYS[key](found, (why) => refuse(`${key} ${why}`));
  }
  const { roleArn } = entry;
  if (typeof roleArn !== "string") throw refuse("roleArn is missing; add it");
  return { ...entry, name, roleArn };
}

function isKey(key: string): key is keyof RoleEntry {
  return Object.hasOwn(KEYS, key);
}

function shownKey(key: string): string {
  return SHOWN_KEY.test(key) && key.length <= MAX_SHOWN_KEY_LENGTH ? ` "${key}"` : "";
}

/** Returns the place of a syntax error, without the text around it, and advice. */
function placeOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : "";
  const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(message) ?? [];
  return line === undefined
    ? "; correct it (jq shows the place)"
    : ` (line ${line}, column ${column}); correct it`;
}
