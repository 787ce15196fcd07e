/**
 * Checks that ARNs, region, endpoint and session name fit together. Pure.
 *
 * @module
 */
import { messageOf, refusedValue } from "../../errors.ts";
import { parseArn, type SessionArns } from "../../rolesanywhere/arn.ts";
import { PARTITIONS } from "../../rolesanywhere/endpoint.ts";
import type { FlagName } from "../flags/flags.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { sessionNameFault } from "../../sts/role_chain.ts";
import { readEndpoint, readSessionArns } from "../session_request.ts";
import { type Finding, finding, okUnless } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

const ARN_FLAGS = [
  ["role", "role-arn"],
  ["profile", "profile-arn"],
  ["trustAnchor", "trust-anchor-arn"],
] as const satisfies [keyof SessionArns, FlagName][];

/** Checks the flags only. */
export function checkArns({ values }: Pick<CheckContext, "values">): readonly Finding[] {
  const findings = ARN_FLAGS.flatMap(([kind, flag]) => checkArn(values, kind, flag));
  let arns: SessionArns | undefined;
  if (findings.length === 0) {
    try {
      arns = readSessionArns(values);
      findings.push(...checkAccounts(arns));
    } catch (thrown) {
      findings.push(finding("arn-invalid", messageOf(thrown)));
    }
  }
  findings.push(...checkRegion(values, arns), ...checkSessionName(values));
  return okUnless(
    findings,
    finding("arns", `role, profile and trust anchor fit together in ${readRegion(values)}`),
  );
}

/** Finds the fault of one ARN. */
function checkArn(values: FlagValues, kind: keyof SessionArns, flag: FlagName): Finding[] {
  const text = values.text(flag);
  if (text === undefined) {
    const console = kind === "role" ? "IAM" : "IAM Roles Anywhere";
    return [finding("arn-missing", `--${flag} was not given; copy it from the ${console} console`)];
  }
  try {
    parseArn(kind, text, values.sourceOf(flag));
    return [];
  } catch (thrown) {
    return [finding("arn-invalid", messageOf(thrown))];
  }
}

/** Returns the session's region, or undefined if no flag has one. */
export function readRegion(values: FlagValues): string | undefined {
  const region = values.text("region");
  if (region !== undefined) return region;
  return /^arn:[^:]*:rolesanywhere:([^:]+):/.exec(values.text("trust-anchor-arn") ?? "")?.[1];
}

function checkAccounts({ role, profile, trustAnchor }: SessionArns): Finding[] {
  const accounts = new Set([role, profile, trustAnchor].map(({ account }) => account));
  if (accounts.size === 1) return [];
  return [
    finding(
      "arn-accounts",
      `the ARNs are of different accounts (role ${role.account}, profile ${profile.account}, ` +
        `trust anchor ${trustAnchor.account}); copy them again from one account`,
    ),
  ];
}

function checkRegion(values: FlagValues, arns: SessionArns | undefined): Finding[] {
  const findings: Finding[] = [];
  const region = readRegion(values);
  const isKnown = region !== undefined && PARTITIONS.some(({ regions }) => regions.test(region));
  if (region !== undefined && !isKnown) {
    findings.push(
      finding(
        "region-unknown",
        `the region${refusedValue(region)} is in no known partition; check its spelling`,
      ),
    );
  }
  if (arns && region !== arns.trustAnchor.region) {
    findings.push(
      finding(
        "region-differs",
        `${values.sourceOf("region")} is ${
          isKnown ? region : "another"
        }, but the trust anchor is in ${arns.trustAnchor.region}; leave the region out`,
      ),
    );
  }
  return [...findings, ...checkEndpoint(values, region)];
}

function checkEndpoint(values: FlagValues, region: string | undefined): Finding[] {
  let endpoint: URL;
  try {
    endpoint = readEndpoint(values, region);
  } catch (thrown) {
    // Without a region there is no endpoint; the missing ARN is already a finding.
    return region === undefined ? [] : [finding("endpoint-invalid", messageOf(thrown))];
  }
  const other = /^rolesanywhere(?:-fips)?\.([a-z0-9-]+)\./.exec(endpoint.hostname)?.[1];
  if (other === undefined || other === region) return [];
  return [
    finding(
      "endpoint-region",
      `${values.sourceOf("endpoint")} is the endpoint of ${other}, but the region is ${region}; ` +
        "leave it out",
    ),
  ];
}

function checkSessionName(values: FlagValues): Finding[] {
  const fault = sessionNameFault(
    values.text("role-session-name"),
    values.sourceOf("role-session-name"),
  );
  return fault ? [finding("session-name", fault)] : [];
}
