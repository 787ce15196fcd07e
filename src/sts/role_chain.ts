/**
 * Roles to assume one after the other, with the session of IAM Roles Anywhere first. Pure.
 *
 * @module
 */
import { HelperError, refusedValue } from "../errors.ts";
import { type Arn, parseRoleArn } from "../rolesanywhere/arn.ts";

/** Roles to assume, and the parameters of their sessions. */
export interface RoleChain {
  /** At least one, in the order in which they are assumed. The last one's session is vended. */
  readonly roles: readonly [Arn, ...Arn[]];
  /** Default: the serial number of the certificate. */
  readonly sessionName?: string;
  readonly externalId?: string;
  /** Lifetime of the last session, seconds. */
  readonly durationSeconds: number;
  /** The endpoint of STS. */
  readonly endpoint: URL;
  /** The signing region. */
  readonly region: string;
}

/** Limits of AssumeRole with the credentials of a role: one hour ("role chaining"). */
export const CHAIN_LIMITS = {
  /** Seconds. */
  minDuration: 900,
  maxDuration: 3600,
  /** Maximum number of roles; each is a call. */
  roles: 8,
} as const;

/** Session names that AWS accepts. */
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;
/** External IDs that STS accepts. */
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;

/** Texts of a chain, as given. */
export interface ChainTexts {
  readonly roles: readonly string[];
  readonly sessionName?: string | undefined;
  readonly externalId?: string | undefined;
  readonly durationSeconds: number;
}

/** Names of the flags, variables or settings that the texts were read from. */
export type ChainSources = Readonly<Record<keyof ChainTexts, string>>;

/** The flags of the texts. */
const CHAIN_FLAGS: ChainSources = {
  roles: "--assume-role-arn",
  sessionName: "--assume-role-session-name",
  externalId: "--assume-role-external-id",
  durationSeconds: "--assume-role-duration",
};

/** Returns why AWS would refuse a session name that was read from `source`; undefined if it would not. */
export function sessionNameFault(name: string | undefined, source: string): string | undefined {
  return name === undefined || SESSION_NAME.test(name)
    ? undefined
    : `${source}${refusedValue(name)} must be 2 to 64 letters, digits or _+=,.@-`;
}

/**
 * Parses and checks the texts of a chain. `partition` is that of the trust anchor. Returns undefined if
 * no role is to be assumed. Throws `usage`.
 */
export function parseRoleChain(
  texts: ChainTexts,
  partition: string,
  service: Pick<RoleChain, "endpoint" | "region">,
  sources: ChainSources = CHAIN_FLAGS,
): RoleChain | undefined {
  const [first, ...rest] = texts.roles.map((text, index) => {
    const position = texts.roles.length > 1 ? ` (number ${index + 1})` : "";
    return parseRole(text, partition, `${sources.roles}${position}`);
  });
  if (!first) return undefined;
  if (rest.length >= CHAIN_LIMITS.roles) {
    throw new HelperError(
      "usage",
      `${sources.roles}: ${rest.length + 1} roles; assume at most ${CHAIN_LIMITS.roles}`,
    );
  }
  const { sessionName, externalId, durationSeconds } = texts;
  const fault = sessionNameFault(sessionName, sources.sessionName);
  if (fault) throw new HelperError("usage", fault);
  if (externalId !== undefined && !EXTERNAL_ID.test(externalId)) {
    throw new HelperError(
      "usage",
      `${sources.externalId}${
        refusedValue(externalId)
      } must be 2 to 1224 letters, digits or _+=,.@:/-`,
    );
  }
  const { minDuration, maxDuration } = CHAIN_LIMITS;
  if (!(durationSeconds >= minDuration && durationSeconds <= maxDuration)) {
    throw new HelperError(
      "usage",
      `${sources.durationSeconds} is ${durationSeconds}; AWS limits role chaining to one hour; ` +
        `use ${minDuration} to ${maxDuration}`,
    );
  }
  return {
    roles: [first, ...rest],
    ...(sessionName === undefined ? {} : { sessionName }),
    ...(externalId === undefined ? {} : { externalId }),
    durationSeconds,
    ...service,
  };
}

function parseRole(text: string, partition: string, source: string): Arn {
  const role = parseRoleArn(text, source);
  if (role.partition === partition) return role;
  throw new HelperError(
    "usage",
    `${source} is in the partition ${role.partition} and the trust anchor in ` +
      `${partition}; both must be in one partition`,
  );
}
