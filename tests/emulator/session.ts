import { randomBytes, randomInt, randomUUID } from "node:crypto";

import type { VerifiedRequest } from "./verify_request.ts";

/** Credentials of one session, with the names of the service's JSON. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** `YYYY-MM-DDThh:mm:ssZ` */
  readonly expiration: string;
}

/** Body of the service's 201 response. */
export interface SessionBody {
  readonly credentialSet: readonly {
    readonly assumedRoleUser: { readonly arn: string; readonly assumedRoleId: string };
    readonly credentials: SessionCredentials;
    readonly packedPolicySize: number;
    readonly roleArn: string;
    readonly sourceIdentity: string;
  }[];
  readonly subjectArn: string;
}

const CAPITALS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** 345 octets: 460 characters of base64. */
const TOKEN_OCTETS = 345;

/**
 * Makes a session with fresh random credentials that expire `seconds` after `time` (by default the
 * requested duration). The session is named after the certificate's serial number in hex when
 * the request has no name, like the service.
 */
export function createSession(
  request: VerifiedRequest,
  time: Date,
  seconds = request.durationSeconds,
): { body: SessionBody; credentials: SessionCredentials } {
  const { endEntity, roleArn, trustAnchorArn } = request;
  const [, partition, , , account] = roleArn.split(":");
  const role = roleArn.slice(roleArn.lastIndexOf("/") + 1);
  const sessionName = request.roleSessionName ?? endEntity.serialNumber.toString(16);
  const credentials: SessionCredentials = {
    accessKeyId: `ASIA${randomCharacters(16)}`,
    secretAccessKey: randomBytes(30).toString("base64"),
    sessionToken: randomBytes(TOKEN_OCTETS).toString("base64"),
    expiration: secondsTime(new Date(time.getTime() + seconds * 1000)),
  };
  const body: SessionBody = {
    credentialSet: [{
      assumedRoleUser: {
        arn: `arn:${partition}:sts::${account}:assumed-role/${role}/${sessionName}`,
        assumedRoleId: `AROA${randomCharacters(17)}:${sessionName}`,
      },
      credentials,
      packedPolicySize: 10,
      roleArn,
      sourceIdentity: `CN=${endEntity.commonName}`,
    }],
    subjectArn: trustAnchorArn.replace(/:trust-anchor\/.*$/, `:subject/${randomUUID()}`),
  };
  return { body, credentials };
}

function randomCharacters(count: number): string {
  const pick = () => CAPITALS_AND_DIGITS.charAt(randomInt(CAPITALS_AND_DIGITS.length));
  return Array.from({ length: count }, pick).join("");
}

function secondsTime(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
