/**
 * Settings of the roles that `serve` serves: those of the file of `--roles`, completed by the flags.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "../../path.ts";
import { HelperError } from "../../errors.ts";
import { readSource } from "../../files/source_file.ts";
import { SourceError } from "../../files/source_error.ts";
import { checkUsersAreKnown, parseUsers } from "../../imds/allowed_users.ts";
import type { BindAddress } from "../../imds/listener/bind_address.ts";
import type { VendedSession } from "../../credentials/refresh/session.ts";
import { pathAdvice } from "../../keystore/path_advice.ts";
import type { FlagValues, SuppliedValue } from "../flags/flag_values.ts";
import type { FlagName } from "../flags/flags.ts";
import type { NonEmpty } from "../../x509/chain.ts";
import { readSessionRequest } from "../session_request.ts";
import { parseRolesFile, type RoleEntry, ROLES_FILE_LIMITS, roleSource } from "./roles_file.ts";

/** Token of a role for container clients. */
export interface TokenSettings {
  /** Absent: the token is printed. */
  readonly file?: string;
  /** Names the file's setting in messages. */
  readonly source: string;
  /** The user that owns the file, where possible; absent: the user of `serve`. */
  readonly owner?: { readonly id: number; readonly name: string };
}

/** Settings of one role. */
export interface RoleSettings {
  readonly name: string;
  /** Names the role in messages of a `serve` with several; absent for the only one of the flags. */
  readonly label?: string;
  /** Values of the flags for this role. */
  readonly values: FlagValues;
  readonly request: VendedSession;
  /** Users that get the role at the IMDSv2 paths; absent: clients that no role lists. */
  readonly users?: readonly { readonly id: number; readonly name: string }[];
  readonly token?: TokenSettings;
}

/** Flags of the file's keys. Their values replace the flags'. */
const FLAG_OF_KEY = {
  roleArn: "role-arn",
  profileArn: "profile-arn",
  trustAnchorArn: "trust-anchor-arn",
  sessionDuration: "session-duration",
  roleSessionName: "role-session-name",
} as const satisfies Partial<Record<keyof RoleEntry, FlagName>>;

/** Flags that a role needs from the file or the command line. */
const NEEDED = ["profileArn", "trustAnchorArn"] as const;

/**
 * Returns the flags' values with a role's own in place of some. Every setting of a role's session passes
 * here. `source` names the role. Throws `usage`.
 */
export function roleValues(entry: RoleEntry, values: FlagValues, source: string): FlagValues {
  const supplied = new Map<FlagName, SuppliedValue>();
  for (const [key, flag] of Object.entries(FLAG_OF_KEY)) {
    const value = entry[key as keyof typeof FLAG_OF_KEY];
    if (value !== undefined) {
      supplied.set(flag, { texts: [String(value)], source: `${source}: ${key}` });
    }
  }
  if (entry.assumeRoleArn) {
    const texts = entry.assumeRoleArn;
    supplied.set("assume-role-arn", { texts, source: `${source}: assumeRoleArn` });
  }
  for (const key of NEEDED) {
    const flag = FLAG_OF_KEY[key];
    if (supplied.has(flag) || values.text(flag) !== undefined) continue;
    throw new HelperError("usage", `${source}: ${key} is missing; add it, or use --${flag}`);
  }
  return values.with(supplied);
}

/** Returns the name of the file of `--roles` in messages. */
export function rolesFileSource(values: FlagValues): string {
  return `${values.sourceOf("roles")} ${values.required("roles")}`;
}

/** Reads the file of `--roles`. Throws `usage`. */
export async function readRolesFile(values: FlagValues): Promise<NonEmpty<RoleEntry>> {
  const path = values.required("roles");
  const source = rolesFileSource(values);
  const refuse = (why: string, cause: unknown) =>
    new HelperError("usage", `${source}: ${why}`, { cause });
  let text: string;
  try {
    const bytes = await readSource(path, { maxBytes: ROLES_FILE_LIMITS.bytes, pipes: false });
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof TypeError) throw refuse("it is not JSON; correct it", cause);
    if (cause instanceof SourceError && cause.fault !== "missing" && cause.fault !== "failed") {
      throw refuse(cause.message, cause);
    }
    const advice = pathAdvice(path) ?? "check that it exists and is a file you may read";
    throw refuse(`it cannot be read; ${advice}`, cause);
  }
  return parseRolesFile(text, source);
}

/** Resolves the users of the roles. Throws `usage`, also for a user of two roles. */
function resolveUsers(
  entries: readonly RoleEntry[],
  file: string,
): ReadonlyMap<string, { id: number; name: string }[]> {
  const roleOf = new Map<number, string>();
  const resolved = new Map<string, { id: number; name: string }[]>();
  for (const { name: role, users } of entries) {
    if (!users) continue;
    const source = roleSource(file, role);
    const ids = parseUsers(users, `${source}: users`);
    const found = users.map((name, i) => ({ id: ids[i] ?? 0, name }));
    for (const { id } of found) {
      const other = roleOf.get(id);
      if (other !== undefined) {
        throw new HelperError(
          "usage",
          `${source}: users: the user ${id} is ${
            other === role ? "listed twice" : `also in the role "${other}"`
          }; list each user once`,
        );
      }
      roleOf.set(id, role);
    }
    resolved.set(role, found);
  }
  return resolved;
}

/**
 * Reads the settings of all roles of `--roles`. Throws `usage` if the file cannot be read, or if
 * the file or a flag is invalid. Throws it also if the kernel does not report the users of clients.
 */
export async function readRoles(
  values: FlagValues,
  bind: BindAddress,
): Promise<NonEmpty<RoleSettings>> {
  const file = rolesFileSource(values);
  const entries = await readRolesFile(values);
  for (const { name, users } of entries) {
    if (!users || users.length === 0) continue;
    checkUsersAreKnown(bind, {
      users: `${roleSource(file, name)}: users`,
      bind: values.sourceOf("bind"),
    });
    if (values.isOn("allow-remote")) {
      throw new HelperError(
        "usage",
        `${roleSource(file, name)}: users and ${values.sourceOf("allow-remote")} cannot be used ` +
          "together",
      );
    }
  }
  const users = resolveUsers(entries, file);
  const read = (entry: RoleEntry) => readRole(entry, values, file, users.get(entry.name));
  const [first, ...others] = entries;
  const settings: NonEmpty<RoleSettings> = [read(first), ...others.map(read)];
  checkTokenFiles(settings);
  return settings;
}

function readRole(
  entry: RoleEntry,
  values: FlagValues,
  file: string,
  users: RoleSettings["users"],
): RoleSettings {
  const { name, tokenFile } = entry;
  const source = roleSource(file, name);
  const own = roleValues(entry, values, source);
  const owner = users?.[0];
  return {
    name,
    label: `role "${name}"`,
    values: own,
    request: readSessionRequest(own),
    ...(users ? { users } : {}),
    ...(tokenFile === undefined ? {} : {
      token: {
        file: tokenFile,
        source: `${source}: tokenFile`,
        ...(owner ? { owner } : {}),
      },
    }),
  };
}

/** Throws `usage` if two roles have one token file. */
function checkTokenFiles(settings: readonly RoleSettings[]): void {
  const roles = new Map<string, string>();
  for (const { name, token } of settings) {
    if (token?.file === undefined) continue;
    const file = withoutLinks(token.file);
    const other = roles.get(file);
    if (other !== undefined) {
      throw new HelperError(
        "usage",
        `${token.source}: the role "${other}" has the same file; name another`,
      );
    }
    roles.set(file, name);
  }
}

/** Returns the path with the real path of its directory, if that exists. */
function withoutLinks(path: string): string {
  try {
    return join(Deno.realPathSync(dirname(path)), basename(path));
  } catch {
    return resolve(path); // reported when the token is written
  }
}
