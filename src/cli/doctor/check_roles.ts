/**
 * Checks the file of `--roles`: its form, its users, and each role's ARNs.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { BindAddress } from "../../imds/listener/bind_address.ts";
import { type RoleEntry, roleSource } from "../roles/roles_file.ts";
import { readRoles, readRolesFile, rolesFileSource, roleValues } from "../roles/role_settings.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { checkArns } from "./check_arns.ts";
import type { CheckContext } from "./check_context.ts";
import { type Finding, finding, okUnless } from "./finding.ts";

/** The address that `serve` listens on by default. */
const BIND: BindAddress = { kind: "ip", address: "127.0.0.1", port: 0 };

/** Checks the roles; nothing without the flag. */
export async function checkRoles(
  { values }: Pick<CheckContext, "values">,
): Promise<readonly Finding[]> {
  if (values.text("roles") === undefined) return [];
  const file = rolesFileSource(values);
  const invalid = (thrown: unknown): Finding[] => {
    if (!(thrown instanceof HelperError)) throw thrown;
    return [finding("roles-invalid", thrown.message)];
  };
  let entries: readonly RoleEntry[];
  try {
    entries = await readRolesFile(values);
  } catch (thrown) {
    return invalid(thrown);
  }
  const findings: Finding[] = entries.flatMap((entry) => checkRole(entry, values, file));
  if (findings.every(({ level }) => level !== "problem")) {
    try {
      await readRoles(values, BIND);
    } catch (thrown) {
      findings.push(...invalid(thrown));
    }
  }
  findings.push(...checkClients(entries, file));
  const count = entries.length === 1 ? "1 role" : `${entries.length} roles`;
  return okUnless(
    findings,
    finding("roles", `${file}: ${count}; users exist, and the ARNs of each role fit together`),
  );
}

/** Returns the first role's values, for checks of the network; without roles, the flags' own. */
export async function firstRoleValues(values: FlagValues): Promise<FlagValues> {
  if (values.text("roles") === undefined) return values;
  try {
    const [entry] = await readRolesFile(values);
    return roleValues(entry, values, rolesFileSource(values));
  } catch {
    return values; // checkRoles reports it
  }
}

/** Returns the findings of a role's ARNs, each with the role's name. */
function checkRole(entry: RoleEntry, values: FlagValues, file: string): Finding[] {
  const source = roleSource(file, entry.name);
  let own: FlagValues;
  try {
    own = roleValues(entry, values, source);
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return [finding("roles-invalid", thrown.message)];
  }
  return checkArns({ values: own }).filter(({ level }) => level !== "ok").map((found) =>
    found.message.includes(source)
      ? found
      : finding(found.name, `role "${entry.name}": ${found.message}`)
  );
}

/** Finds roles that no client can get. */
function checkClients(entries: readonly RoleEntry[], file: string): Finding[] {
  const others = entries.find(({ users }) => !users);
  return entries.filter((entry) =>
    entry !== others && entry.tokenFile === undefined && (entry.users ?? []).length === 0
  ).map(({ name }) =>
    finding("role-unused", `${roleSource(file, name)}: it has no clients; add users or a tokenFile`)
  );
}
