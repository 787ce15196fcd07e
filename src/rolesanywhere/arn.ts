/**
 * The Amazon Resource Names that a session is made of.
 *
 * @module
 */
import { HelperError } from "../errors.ts";

/** An ARN's parts. */
export interface Arn {
  readonly text: string;
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

/** What each of the three ARNs must look like. */
export const ARN_KINDS = {
  role: {
    flag: "--role-arn",
    pattern: /^arn:([a-z0-9-]+):(iam):():(\d{12}):(role\/[\w+=,.@/-]+)$/,
    example: "arn:aws:iam::123456789012:role/MyRole",
  },
  profile: {
    flag: "--profile-arn",
    pattern: /^arn:([a-z0-9-]+):(rolesanywhere):([a-z0-9-]+):(\d{12}):(profile\/[\w-]+)$/,
    example: "arn:aws:rolesanywhere:us-east-1:123456789012:profile/PROFILE-ID",
  },
  trustAnchor: {
    flag: "--trust-anchor-arn",
    pattern: /^arn:([a-z0-9-]+):(rolesanywhere):([a-z0-9-]+):(\d{12}):(trust-anchor\/[\w-]+)$/,
    example: "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/TRUST-ANCHOR-ID",
  },
} as const;

/** The three ARNs of a session. */
export interface SessionArns {
  readonly role: Arn;
  readonly profile: Arn;
  readonly trustAnchor: Arn;
}

/**
 * Parses the three ARNs and checks that they can work together: trust anchor and profile in one
 * region, all in one partition. Throws `usage` naming the flag.
 */
export function parseSessionArns(
  texts: { role: string; profile: string; trustAnchor: string },
): SessionArns {
  const role = parseArn("role", texts.role);
  const profile = parseArn("profile", texts.profile);
  const trustAnchor = parseArn("trustAnchor", texts.trustAnchor);
  if (profile.region !== trustAnchor.region) {
    throw new HelperError(
      "usage",
      `--profile-arn is in ${profile.region} and --trust-anchor-arn in ${trustAnchor.region}; ` +
        "both must be in one region",
    );
  }
  for (
    const [flag, arn] of [[ARN_KINDS.role.flag, role], [ARN_KINDS.profile.flag, profile]] as const
  ) {
    if (arn.partition !== trustAnchor.partition) {
      throw new HelperError(
        "usage",
        `${flag} is in the partition ${arn.partition} and --trust-anchor-arn in ` +
          `${trustAnchor.partition}; both must be in one partition`,
      );
    }
  }
  return { role, profile, trustAnchor };
}

function parseArn(kind: keyof typeof ARN_KINDS, text: string): Arn {
  const { flag, pattern, example } = ARN_KINDS[kind];
  const match = pattern.exec(text);
  if (!match) {
    throw new HelperError("usage", `${flag} "${text}" is not an ARN of the form ${example}`);
  }
  const [, partition = "", service = "", region = "", account = "", resource = ""] = match;
  return { text, partition, service, region, account, resource };
}
