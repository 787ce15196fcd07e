/**
 * Messages of `serve`: where its endpoint is, and which clients each role has.
 *
 * @module
 */
import { type BindAddress, endpointUrl } from "../../imds/listener/bind_address.ts";
import { PATHS } from "../../imds/paths.ts";
import { resolve } from "../../path.ts";
import type { RoleChanges, RoleSet, RunningRole } from "../roles/role_set.ts";
import { quoteCommandLine } from "../shell_quote.ts";

/** Returns lines to copy into a shell. Scripts wait for the first one, as printed by AWS's helper. */
export function formatAnnouncement(
  bind: BindAddress,
  port: number,
  [role]: readonly RunningRole[],
): string[] {
  if (bind.kind === "unix") return [`Starting server on ${bind.path}...`];
  const url = endpointOf(bind, port);
  const isOnly = role?.settings.label === undefined;
  return [
    `Starting server on port ${port}...`,
    // The slash is for AWS CLI 2.9 (Debian 12), which appends a path without one.
    `export AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`,
    ...(role?.token && isOnly
      ? [
        `export AWS_CONTAINER_CREDENTIALS_FULL_URI=${url}/role/${role.name}`,
        ...(role.token.file === undefined
          ? [`export AWS_CONTAINER_AUTHORIZATION_TOKEN=${role.token.text}`]
          : formatTokenFileExports(role.token.file)),
      ]
      : []),
  ];
}

/**
 * Returns both variables: older clients read only the first, some Rust clients only the second. The
 * path is absolute, because clients run in other directories.
 */
function formatTokenFileExports(file: string): string[] {
  const quoted = quoteCommandLine([resolve(file)], "linux");
  return [
    `export AWS_CONTAINER_AUTHORIZATION_TOKEN="$(cat ${quoted})"`,
    `export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=${quoted}`,
  ];
}

/** Returns the URL of the endpoint, without a trailing slash; nothing for a Unix socket. */
export function endpointOf(bind: BindAddress, port: number): string {
  return bind.kind === "unix" ? "" : endpointUrl({ address: bind.address, port });
}

/** Returns the address of the metrics. */
export function formatMetricsPlace(bind: BindAddress, port: number): string {
  return bind.kind === "unix"
    ? `${PATHS.metrics} on ${bind.path}`
    : `${endpointUrl({ address: bind.address, port })}${PATHS.metrics}`;
}

/** Returns a line for each role of `--roles`: its clients. */
export function formatRoles({ roles, table }: RoleSet, url: string): string[] {
  return roles.flatMap((role) => {
    const { settings: { label, users = [] }, token } = role;
    if (label === undefined) return [];
    const clients = [
      ...(users.length > 0 ? [`users ${users.map(({ name }) => name).join(", ")}`] : []),
      ...(table.others === role ? [table.byUser.size > 0 ? "all other users" : "all users"] : []),
      ...(token ? [`${url}/role/${role.name} with the token in ${token.file}`] : []),
    ];
    return [
      clients.length > 0
        ? `${label}: ${clients.join("; ")}`
        : `warning: ${label}: it has no clients; add users or a tokenFile`,
    ];
  });
}

/** Returns a line with the changes of a roles file. */
export function formatChanges({ added, changed, removed, kept }: RoleChanges): string {
  const parts = Object.entries({ added, changed, removed }).flatMap(([what, names]) =>
    names.length === 0 ? [] : [`${what} ${names.join(", ")}`]
  );
  return `roles read again: ${[...parts, `${kept.length} unchanged`].join("; ")}`;
}
