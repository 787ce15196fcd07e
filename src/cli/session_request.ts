/**
 * Reads the session flags.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { parseSessionArns, type SessionArns } from "../rolesanywhere/arn.ts";
import type { VendedSession } from "../credentials/refresh/session.ts";
import { resolveEndpoint } from "../rolesanywhere/endpoint.ts";
import { parseRoleChain, type RoleChain, sessionNameFault } from "../sts/role_chain.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import type { FlagName } from "./flags/flags.ts";

/** Reads the session request from the flags. Throws `usage`. */
export function readSessionRequest(values: FlagValues): VendedSession {
  const arns = readSessionArns(values);
  const roleSessionName = values.text("role-session-name");
  const fault = sessionNameFault(roleSessionName, values.sourceOf("role-session-name"));
  if (fault) throw new HelperError("usage", fault);
  const region = values.text("region") ?? arns.trustAnchor.region;
  const chain = readRoleChain(values, region, arns.trustAnchor.partition);
  return {
    endpoint: readEndpoint(values, region),
    region,
    arns,
    durationSeconds: values.integer("session-duration"),
    ...(roleSessionName === undefined ? {} : { roleSessionName }),
    ...(chain === undefined ? {} : { chain }),
  };
}

/** Reads the ARNs of the session. Throws `usage`. */
export function readSessionArns(values: FlagValues): SessionArns {
  return parseSessionArns({
    role: values.required("role-arn"),
    profile: values.required("profile-arn"),
    trustAnchor: values.required("trust-anchor-arn"),
  }, {
    role: values.sourceOf("role-arn"),
    profile: values.sourceOf("profile-arn"),
    trustAnchor: values.sourceOf("trust-anchor-arn"),
  });
}

/** Returns the flag, variable or setting that the region was read from, for messages. */
function regionSource(values: FlagValues): string {
  if (values.text("region") !== undefined) return values.sourceOf("region");
  const isInRoles = values.text("trust-anchor-arn") === undefined && values.text("roles");
  return `the region in ${values.sourceOf(isInRoles ? "roles" : "trust-anchor-arn")}`;
}

/** Returns the source of an endpoint's host name, for messages: the endpoint's own, or the region's. */
export function hostSource(values: FlagValues, flag: "endpoint" | "sts-endpoint"): string {
  return values.text(flag) === undefined ? regionSource(values) : values.sourceOf(flag);
}

/** Returns the endpoint of the session. Throws `usage`. */
export function readEndpoint(values: FlagValues, region: string | undefined): URL {
  const endpoint = values.text("endpoint");
  return resolveEndpoint({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    useFips: values.isOn("use-fips-endpoint"),
    useDualStack: values.isOn("use-dualstack-endpoint"),
    regionSource: regionSource(values),
    endpointSource: values.sourceOf("endpoint"),
  });
}

/** The flags that have no effect without `--assume-role-arn`. */
const CHAIN_DETAILS = [
  "assume-role-session-name",
  "assume-role-external-id",
  "assume-role-duration",
] as const satisfies FlagName[];

/**
 * Reads the roles to assume. `partition` is that of the trust anchor. Returns undefined if no role is to
 * be assumed. Throws `usage`.
 */
export function readRoleChain(
  values: FlagValues,
  region: string,
  partition: string,
): RoleChain | undefined {
  const texts = readAssumedRoles(values);
  const detail = CHAIN_DETAILS.find((name) => values.isOnCommandLine(name));
  // Another role of --roles may have a chain.
  const hasOtherRoles = values.text("roles") !== undefined;
  if (!hasOtherRoles && texts.length === 0 && detail) {
    throw new HelperError("usage", `--${detail} needs --assume-role-arn`);
  }
  if (texts.length === 0) return undefined;
  return parseRoleChain(
    {
      roles: texts,
      sessionName: values.text("assume-role-session-name") ?? values.text("role-session-name"),
      externalId: values.text("assume-role-external-id"),
      durationSeconds: values.integer("assume-role-duration"),
    },
    partition,
    { endpoint: readStsEndpoint(values, region), region },
    {
      roles: values.sourceOf("assume-role-arn"),
      sessionName: values.sourceOf("assume-role-session-name"),
      externalId: values.sourceOf("assume-role-external-id"),
      durationSeconds: values.sourceOf("assume-role-duration"),
    },
  );
}

/** Returns the ARNs of `--assume-role-arn`. A variable may hold several, separated by blanks. */
export function readAssumedRoles(values: FlagValues): readonly string[] {
  return (values.list("assume-role-arn") ?? []).flatMap((text) => text.split(/\s+/))
    .filter((text) => text !== "");
}

function readStsEndpoint(values: FlagValues, region: string): URL {
  const endpoint = values.text("sts-endpoint");
  // As in botocore: a configured endpoint wins over FIPS and dual-stack of the same service only.
  return resolveEndpoint({
    service: "sts",
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    useFips: endpoint === undefined && values.wasOn("use-fips-endpoint"),
    useDualStack: endpoint === undefined && values.wasOn("use-dualstack-endpoint"),
    regionSource: regionSource(values),
    endpointSource: values.sourceOf("sts-endpoint"),
  });
}
