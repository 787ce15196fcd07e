/**
 * Whether ARNs, region, endpoint and session name can work together. Pure.
 *
 * @module
 */
import { messageOf, refusedValue } from "../../errors.ts";
import { parseSessionArns, type SessionArns } from "../../rolesanywhere/arn.ts";
import { PARTITIONS, resolveEndpoint } from "../../rolesanywhere/endpoint.ts";
import type { FlagName } from "../flags/flags.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { SESSION_NAME } from "../session_request.ts";
import { type Finding, found, okUnless } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

const ARN_FLAGS = ["role-arn", "profile-arn", "trust-anchor-arn"] as const satisfies FlagName[];

/** Checks what stands in flags alone. */
export function checkArns({ values }: Pick<Inspection, "values">): readonly Finding[] {
  const findings: Finding[] = ARN_FLAGS.filter((flag) => values.text(flag) === undefined).map((
    flag,
  ) =>
    found(
      "arn-missing",
      `--${flag} was not given; copy it from the ${
        flag === "role-arn" ? "IAM" : "IAM Roles Anywhere"
      } console`,
    )
  );
  let arns: SessionArns | undefined;
  if (findings.length === 0) {
    try {
      arns = sessionArns(values);
      findings.push(...checkAccounts(arns));
    } catch (thrown) {
      findings.push(found("arn-invalid", messageOf(thrown)));
    }
  }
  findings.push(...checkRegion(values, arns), ...checkSessionName(values));
  return okUnless(
    findings,
    found("arns", `role, profile and trust anchor fit together, in ${regionOf(values)}`),
  );
}

function sessionArns(values: FlagValues): SessionArns {
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

/** The region of the session; undefined when nothing tells. */
export function regionOf(values: FlagValues): string | undefined {
  const region = values.text("region");
  if (region !== undefined) return region;
  return /^arn:[^:]*:rolesanywhere:([^:]+):/.exec(values.text("trust-anchor-arn") ?? "")?.[1];
}

function checkAccounts({ role, profile, trustAnchor }: SessionArns): Finding[] {
  const accounts = new Set([role, profile, trustAnchor].map(({ account }) => account));
  if (accounts.size === 1) return [];
  return [
    found(
      "arn-accounts",
      `the role is of account ${role.account}, the profile of ${profile.account}, the trust ` +
        `anchor of ${trustAnchor.account}; Roles Anywhere wants one account: copy the ARNs again`,
    ),
  ];
}

function checkRegion(values: FlagValues, arns: SessionArns | undefined): Finding[] {
  const findings: Finding[] = [];
  const region = regionOf(values);
  const isKnown = region !== undefined && PARTITIONS.some(({ regions }) => regions.test(region));
  if (region !== undefined && !isKnown) {
    findings.push(
      found(
        "region-unknown",
        `the region${refusedValue(region)} is in no known partition; check its spelling`,
      ),
    );
  }
  if (arns && region !== arns.trustAnchor.region) {
    findings.push(
      found(
        "region-differs",
        `${values.sourceOf("region")} is ${
          isKnown ? region : "another"
        } and the trust anchor is in ${arns.trustAnchor.region}, so that the ` +
          "service will not find it; leave it out",
      ),
    );
  }
  return [...findings, ...checkEndpoint(values, region)];
}

function checkEndpoint(values: FlagValues, region: string | undefined): Finding[] {
  let endpoint: URL;
  try {
    endpoint = endpointOf(values);
  } catch (thrown) {
    // Without a region there is no endpoint: that the ARN is missing is told already.
    return region === undefined ? [] : [found("endpoint-invalid", messageOf(thrown))];
  }
  const other = /^rolesanywhere(?:-fips)?\.([a-z0-9-]+)\./.exec(endpoint.hostname)?.[1];
  if (other === undefined || other === region) return [];
  return [
    found(
      "endpoint-region",
      `${values.sourceOf("endpoint")} is the endpoint of ${other}, and the region is ${region}; ` +
        "leave it out",
    ),
  ];
}

/** The endpoint of the session. Throws `usage`. */
export function endpointOf(values: FlagValues): URL {
  const region = regionOf(values);
  const endpoint = values.text("endpoint");
  return resolveEndpoint({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    useFips: values.isOn("use-fips-endpoint"),
    useDualStack: values.isOn("use-dualstack-endpoint"),
    regionSource: values.sourceOf("region"),
    endpointSource: values.sourceOf("endpoint"),
  });
}

function checkSessionName(values: FlagValues): Finding[] {
  const name = values.text("role-session-name");
  if (name === undefined || SESSION_NAME.test(name)) return [];
  return [
    found(
      "session-name",
      `${values.sourceOf("role-session-name")}${
        refusedValue(name)
      } must be 2 to 64 letters, digits or _+=,.@-`,
    ),
  ];
}
