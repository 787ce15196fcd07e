/**
 * Settings of `serve`: its endpoint, and its roles with their clients.
 *
 * @module
 */
import { vendedRole } from "../../credentials/refresh/session.ts";
import { HelperError } from "../../errors.ts";
import { parseAllowedUsers } from "../../imds/allowed_users.ts";
import { hostCheck, parseHostNames } from "../../imds/host_check.ts";
import { type BindAddress, parseBindAddress } from "../../imds/listener/bind_address.ts";
import { lastPartOf } from "../../imds/roles.ts";
import type { NonEmpty } from "../../x509/chain.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import type { RoleSettings } from "../roles/role_settings.ts";
import { readSessionRequest } from "../session_request.ts";
import { CONTROL } from "../shell_quote.ts";
import type { System } from "../system.ts";

/** Settings of `serve`. */
export interface ServeSettings {
  readonly bind: BindAddress;
  /** Returns true if a request may have this `Host` header. */
  readonly isAllowedHost: (authority: string) => boolean;
  readonly roles: NonEmpty<RoleSettings>;
  /** Numbers of the users of `--allow-user`; undefined without the flag. */
  readonly allowedUsers: ReadonlySet<number> | undefined;
  /** True if the client's user decides which credentials it gets. */
  readonly identifiesUsers: boolean;
}

/** Reads the settings. Throws `usage`, and the errors of a roles file. */
export async function readServeSettings(
  values: FlagValues,
  system: System,
): Promise<ServeSettings> {
  const bind = readBindAddress(values);
  const isAllowedHost = bind.kind === "ip" ? hostCheck(readHostNames(values, system)) : () => true;
  const roles = await readRoleSettings(values, bind);
  const allowedUsers = readAllowedUsers(values, bind);
  const identifiesUsers = allowedUsers !== undefined || roles.some(hasUsers);
  return { bind, isAllowedHost, roles, allowedUsers, identifiesUsers };
}

/** Reads the roles again. Throws `usage` for users in a file that had none before. */
export async function readRolesAgain(
  values: FlagValues,
  { bind, identifiesUsers }: ServeSettings,
): Promise<NonEmpty<RoleSettings>> {
  const roles = await readRoleSettings(values, bind);
  if (!identifiesUsers && roles.some(hasUsers)) throw lateUsersError(values);
  return roles;
}

/** Returns true if the roles are in a file. */
export function hasRolesFile(values: FlagValues): boolean {
  return values.text("roles") !== undefined;
}

/** Returns the settings of the only role by the flags, or of the roles of `--roles`. */
async function readRoleSettings(
  values: FlagValues,
  bind: BindAddress,
): Promise<NonEmpty<RoleSettings>> {
  if (hasRolesFile(values)) {
    const { readRoles } = await import("../roles/role_settings.ts");
    return await readRoles(values, bind);
  }
  const request = readSessionRequest(values);
  const file = values.text("container-token-file");
  const source = "--container-token-file";
  return [{
    name: lastPartOf(vendedRole(request).text),
    values,
    request,
    ...(values.isOn("container-credentials")
      ? { token: { source, ...(file === undefined ? {} : { file }) } }
      : {}),
  }];
}

/** Returns true if the role is only for some users. */
function hasUsers({ users = [] }: RoleSettings): boolean {
  return users.length > 0;
}

function lateUsersError(values: FlagValues): HelperError {
  return new HelperError(
    "usage",
    `${values.sourceOf("roles")} ${values.text("roles")}: ` +
      "serve started without users in the file; restart it",
  );
}

function readBindAddress(values: FlagValues): BindAddress {
  checkTokenFile(values);
  return parseBindAddress(values.required("bind"), values.integer("port"), {
    source: values.sourceOf("bind"),
    hopLimit: values.integer("hop-limit"),
    allowRemote: values.isOn("allow-remote"),
  });
}

/** Throws `usage` if `--container-token-file` cannot be used. */
function checkTokenFile(values: FlagValues): void {
  const tokenFile = values.text("container-token-file");
  if (tokenFile === undefined) return;
  if (!values.isOn("container-credentials")) {
    throw new HelperError("usage", "--container-token-file needs --container-credentials");
  }
  if (CONTROL.test(tokenFile)) {
    throw new HelperError(
      "usage",
      "--container-token-file contains a line end or another control character; " +
        "choose another path",
    );
  }
}

/** Returns the numbers of the users of `--allow-user`; undefined without the flag. */
function readAllowedUsers(
  values: FlagValues,
  bind: BindAddress,
): ReadonlySet<number> | undefined {
  const texts = values.list("allow-user");
  if (texts && values.isOn("allow-remote")) {
    throw new HelperError(
      "usage",
      `${values.sourceOf("allow-user")} and ${values.sourceOf("allow-remote")} cannot be used ` +
        "together",
    );
  }
  return texts && parseAllowedUsers(texts, bind, {
    users: values.sourceOf("allow-user"),
    bind: values.sourceOf("bind"),
  });
}

/** Returns the host names that a request may send, in addition to `localhost`. */
function readHostNames(values: FlagValues, system: System): string[] {
  const given = parseHostNames(values.list("allow-host") ?? [], values.sourceOf("allow-host"));
  return [...given, system.hostName()];
}
