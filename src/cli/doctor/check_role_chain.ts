/**
 * Checks the roles to assume: ARNs, partition, names and endpoint. Pure.
 *
 * @module
 */
import { messageOf } from "../../errors.ts";
import type { RoleChain } from "../../sts/role_chain.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { readAssumedRoles, readRoleChain } from "../session_request.ts";
import { readRegion } from "./check_arns.ts";
import type { CheckContext } from "./check_context.ts";
import { type Finding, finding } from "./finding.ts";

/** Checks the flags only. Returns no findings without a chain. */
export function checkRoleChain({ values }: Pick<CheckContext, "values">): readonly Finding[] {
  let chain: RoleChain | undefined;
  try {
    chain = readChain(values);
  } catch (thrown) {
    return [finding("role-chain-invalid", messageOf(thrown))];
  }
  if (!chain) return [];
  const { roles, durationSeconds, region, endpoint } = chain;
  const last = roles.at(-1)?.text;
  const findings = [
    finding("role-chain", `${last} is assumed for ${durationSeconds} s, ${describeWay(chain)}`),
  ];
  const other = /^sts(?:-fips)?\.([a-z0-9-]+)\./.exec(endpoint.hostname)?.[1];
  if (other !== undefined && other !== region) {
    findings.push(
      finding(
        "endpoint-region",
        `${values.sourceOf("sts-endpoint")} is the endpoint of ${other}, but the region is ` +
          `${region}; leave it out`,
      ),
    );
  }
  return findings;
}

function describeWay({ roles, externalId }: RoleChain): string {
  const calls = `by ${roles.length} call${roles.length === 1 ? "" : "s"} of AssumeRole`;
  return externalId === undefined ? calls : `${calls} with an external ID`;
}

/**
 * Returns the chain, or undefined without one. A missing ARN or region is a finding of its own. Throws
 * `usage`.
 */
export function readChain(values: FlagValues): RoleChain | undefined {
  const region = readRegion(values);
  const [first = ""] = readAssumedRoles(values);
  const partitionOf = (arn: string) => /^arn:([^:]+):/.exec(arn)?.[1];
  const partition = partitionOf(values.text("trust-anchor-arn") ?? "") ?? partitionOf(first);
  // Any region does: without one, the endpoint is not used.
  const chain = readRoleChain(values, region ?? "us-east-1", partition ?? "aws");
  return region === undefined ? undefined : chain;
}
