/**
 * Endpoints of IAM Roles Anywhere and STS, by partition and region. Their source is the rule sets
 * and partition data that AWS publishes for its SDKs.
 *
 * @module
 */
import { HelperError, refusedValue } from "../errors.ts";

interface Partition {
  readonly name: string;
  readonly regions: RegExp;
  readonly dnsSuffix: string;
  readonly dualStackDnsSuffix: string;
}

/** AWS's partitions; the first is also used for unknown regions. */
export const PARTITIONS = [
  {
    name: "aws",
    regions: /^(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+$/,
    dnsSuffix: "amazonaws.com",
    dualStackDnsSuffix: "api.aws",
  },
  {
    name: "aws-cn",
    regions: /^cn-\w+-\d+$/,
    dnsSuffix: "amazonaws.com.cn",
    dualStackDnsSuffix: "api.amazonwebservices.com.cn",
  },
  {
    name: "aws-us-gov",
    regions: /^us-gov-\w+-\d+$/,
    dnsSuffix: "amazonaws.com",
    dualStackDnsSuffix: "api.aws",
  },
  {
    name: "aws-iso",
    regions: /^us-iso-\w+-\d+$/,
    dnsSuffix: "c2s.ic.gov",
    dualStackDnsSuffix: "api.aws.ic.gov",
  },
  {
    name: "aws-iso-b",
    regions: /^us-isob-\w+-\d+$/,
    dnsSuffix: "sc2s.sgov.gov",
    dualStackDnsSuffix: "api.aws.scloud",
  },
  {
    name: "aws-iso-e",
    regions: /^eu-isoe-\w+-\d+$/,
    dnsSuffix: "cloud.adc-e.uk",
    dualStackDnsSuffix: "api.cloud-aws.adc-e.uk",
  },
  {
    name: "aws-iso-f",
    regions: /^us-isof-\w+-\d+$/,
    dnsSuffix: "csp.hci.ic.gov",
    dualStackDnsSuffix: "api.aws.hci.ic.gov",
  },
  {
    name: "aws-eusc",
    regions: /^eusc-(de)-\w+-\d+$/,
    dnsSuffix: "amazonaws.eu",
    dualStackDnsSuffix: "api.amazonwebservices.eu",
  },
] as const satisfies readonly Partition[];

/** First part of each service's host names, and an example for messages. */
const SERVICES = {
  rolesanywhere: "https://rolesanywhere.us-east-1.amazonaws.com",
  sts: "https://sts.us-east-1.amazonaws.com",
} as const;

/** Settings that determine the endpoint. */
export interface EndpointChoice {
  /** Default: `rolesanywhere`. */
  readonly service?: keyof typeof SERVICES;
  readonly region?: string;
  /** URL that replaces the rules. The flags exclude FIPS and dual-stack with it. */
  readonly endpoint?: string;
  readonly useFips: boolean;
  readonly useDualStack: boolean;
  /** Names the source of `region` in messages, a flag by default. */
  readonly regionSource?: string;
  /** Names the source of `endpoint` in messages, a flag by default. */
  readonly endpointSource?: string;
}

/** Hosts that may use plain http. The response contains credentials. */
const LOOPBACK_HOSTS = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Text that messages may show: a host with a scheme or a port, which is not a password. */
const LIKE_ENDPOINT = /^(?:[A-Za-z]+:\/\/[\w.-]{1,80}(?::\d{1,5})?|[\w.-]{1,80}:\d{1,5})\/?$/;

/**
 * Returns the service's base URL, without a trailing slash in its path.
 *
 * Throws `usage` for an unusable URL or region.
 */
export function resolveEndpoint(choice: EndpointChoice): URL {
  const { region } = choice;
  // Signatures contain the region, whatever the endpoint is.
  if (region !== undefined && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) {
    throw new HelperError(
      "usage",
      `${choice.regionSource ?? "--region"}${refusedValue(region)} is not the name of a region`,
    );
  }
  if (choice.endpoint !== undefined) {
    return parseEndpoint(
      choice.endpoint,
      choice.endpointSource ?? "--endpoint",
      SERVICES[choice.service ?? "rolesanywhere"],
    );
  }
  if (region === undefined) throw new HelperError("usage", "no region is known; set --region");
  const partition = PARTITIONS.find(({ regions }) => regions.test(region)) ?? PARTITIONS[0];
  const service = firstLabel(choice, partition.name);
  const suffix = choice.useDualStack ? partition.dualStackDnsSuffix : partition.dnsSuffix;
  return new URL(`https://${service}.${region}.${suffix}`);
}

/** Returns the first label of the host. STS has no separate FIPS host in GovCloud. */
function firstLabel(choice: EndpointChoice, partition: string): string {
  const { service = "rolesanywhere", useFips, useDualStack } = choice;
  const isFipsAnyway = service === "sts" && partition === "aws-us-gov" && !useDualStack;
  return useFips && !isFipsAnyway ? `${service}-fips` : service;
}

function parseEndpoint(text: string, source: string, example: string): URL {
  // The URL parser would drop line ends.
  const url = URL.canParse(text) && !/\s/.test(text) ? new URL(text) : undefined;
  const shown = LIKE_ENDPOINT.test(text) ? ` "${text}"` : "";
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new HelperError(
      "usage",
      `${source}${shown} is not a URL such as ${example}`,
    );
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new HelperError(
      "usage",
      `${source} takes a URL of scheme, host, port and path only`,
    );
  }
  if (url.protocol === "http:" && !LOOPBACK_HOSTS.test(url.hostname)) {
    throw new HelperError(
      "usage",
      `${source}${shown} would send credentials in the clear; use https, or http on loopback`,
    );
  }
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}
