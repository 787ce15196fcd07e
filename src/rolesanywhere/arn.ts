/**
 * Amazon Resource Names of a session.
 *
 * @module
 */
import { HelperError, refusedValue } from "../errors.ts";

/** An ARN's parts. */
export interface Arn {
  readonly text: string;
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

/** Flag, owner, pattern and example of each of the three ARNs. */
export const ARN_KINDS = {
  role: {
    flag: "--role-arn",
    owner: "a role",
    pattern: /^arn:([a-z0-9-]+):(iam):():(\d{12}):(role\/[\w+=,.@/-]+)$/,
    example: "arn:aws:iam::123456789012:role/MyRole",
  },
  profile: {
    flag: "--profile-arn",
    owner: "a profile",
    pattern: /^arn:([a-z0-9-]+):(rolesanywhere):([a-z0-9-]+):(\d{12}):(profile\/[\w-]+)$/,
    example: "arn:aws:rolesanywhere:us-east-1:123456789012:profile/PROFILE-ID",
  },
  trustAnchor: {
    flag: "--trust-anchor-arn",
    owner: "a trust anchor",
    pattern: /^arn:([a-z0-9-]+):(rolesanywhere):([a-z0-9-]+):(\d{12}):(trust-anchor\/[\w-]+)$/,
    example: "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/TRUST-ANCHOR-ID",
  },
} as const;

const FLAGS = {
  role: ARN_KINDS.role.flag,
  profile: ARN_KINDS.profile.flag,
  trustAnchor: ARN_KINDS.trustAnchor.flag,
} as const;

/** The three ARNs of a session. */
export interface SessionArns {
  readonly role: Arn;
  readonly profile: Arn;
  readonly trustAnchor: Arn;
}

/**
 * Parses the three ARNs and checks that they match: trust anchor and profile in one region, all in one
 * partition. Throws `usage` with the source of the text, a flag by default.
 */
export function parseSessionArns(
  texts: Readonly<Record<keyof typeof ARN_KINDS, string>>,
  sources: Readonly<Record<keyof typeof ARN_KINDS, string>> = FLAGS,
): SessionArns {
  const role = parseArn("role", texts.role, sources.role);
  const profile = parseArn("profile", texts.profile, sources.profile);
  const trustAnchor = parseArn("trustAnchor", texts.trustAnchor, sources.trustAnchor);
  if (profile.region !== trustAnchor.region) {
    throw new HelperError(
      "usage",
      `${sources.profile} is in ${profile.region} and ${sources.trustAnchor} in ` +
        `${trustAnchor.region}; ` +
        "both must be in one region",
    );
  }
  for (
    const [source, arn] of [[sources.role, role], [sources.profile, profile]] as const
  ) {
    if (arn.partition !== trustAnchor.partition) {
      throw new HelperError(
        "usage",
        `${source} is in the partition ${arn.partition} and ${sources.trustAnchor} in ` +
          `${trustAnchor.partition}; both must be in one partition`,
      );
    }
  }
  return { role, profile, trustAnchor };
}

/** Parses the ARN of a role. Throws `usage` with the source of the text. */
export function parseRoleArn(text: string, source: string): Arn {
  return parseArn("role", text, source);
}

/** Parses one of the three ARNs. Throws `usage` with the source of the text. */
export function parseArn(kind: keyof typeof ARN_KINDS, text: string, source: string): Arn {
  const match = ARN_KINDS[kind].pattern.exec(text);
  if (!match) throw new HelperError("usage", describeFault(kind, text, source));
  const [, partition = "", service = "", region = "", account = "", resource = ""] = match;
  return { text, partition, service, region, account, resource };
}

const QUOTATION_MARK = /["'`\u2018-\u201f\u00ab\u00bb]/;
/** Beginning of an ARN, with its account, and the type of its resource. */
const ARN_BEGINNING = /^(arn:[a-z0-9-]+:([a-z0-9-]{1,32}):[a-z0-9-]*:)([^:]*):([a-z-]{0,32})/;

/** Services whose resources begin with their type. */
const TYPED_SERVICES: readonly string[] = ["iam", "sts", "rolesanywhere"];

/** Returns the message for a text that is not an ARN of the kind. */
function describeFault(kind: keyof typeof ARN_KINDS, text: string, source: string): string {
  const { owner, pattern, example } = ARN_KINDS[kind];
  if (QUOTATION_MARK.test(text)) {
    return `${source} has quotation marks in it; remove them, as in ${example}`;
  }
  if (/^\s|\s$/.test(text) && text.trim() !== "") {
    return `${source} begins or ends with a blank; remove it, as in ${example}`;
  }
  const arn = ARN_BEGINNING.exec(text);
  if (arn && /\s/.test(text)) {
    return `${source} has a blank inside; remove it, as in ${example}`;
  }
  const other = Object.values(ARN_KINDS).find((known) => known.pattern.test(text));
  if (other) {
    return `${source} is the ARN of ${other.owner}; write that of ${owner}, of the form ${example}`;
  }
  const [, prefix = "", service = "", account = "", type = ""] = arn ?? [];
  if (pattern.test(`${prefix}000000000000${text.slice(prefix.length + account.length)}`)) {
    return `${source} has an account that is not 12 digits; write it as in ${example}`;
  }
  const isOfKind = example.includes(`:${service}:`) && example.includes(`:${type}/`);
  if (service !== "" && !isOfKind) {
    const found = TYPED_SERVICES.includes(service) && type !== "" ? `${service} ${type}` : service;
    return `${source} is the ARN of another kind (${found}); write that of ${owner}, of the form ` +
      example;
  }
  return `${source}${refusedValue(text)} is not an ARN of the form ${example}`;
}
