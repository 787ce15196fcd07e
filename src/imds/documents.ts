/**
 * What the endpoint answers: the documents that SDKs read, made from credentials, role and region.
 * Pure.
 *
 * @module
 */
import { formatTime } from "../credentials/refresh/session.ts";
import type { SessionCredentials } from "../rolesanywhere/create_session.ts";

/** Credentials, and when they were fetched. */
export interface ServedCredentials extends SessionCredentials {
  readonly fetched: Date;
}

/** `…/security-credentials/<role>` of the instance metadata service (Amazon EC2 User Guide). */
export function metadataCredentials(credentials: ServedCredentials): string {
  return JSON.stringify({
    Code: "Success",
    LastUpdated: formatTime(credentials.fetched),
    Type: "AWS-HMAC",
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatTime(credentials.expiration),
  });
}

/** What a container credential provider reads (AWS SDKs and Tools Reference Guide). */
export function containerCredentials(credentials: ServedCredentials, roleArn: string): string {
  return JSON.stringify({
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatTime(credentials.expiration),
    RoleArn: roleArn,
  });
}

/** The instance identity document, with what is known: the region. */
export function identityDocument(region: string): string {
  return JSON.stringify({ region });
}

/** How the engine is, for probes. */
export interface Health {
  /** `ok`; `failing` when the last refresh failed and credentials are still valid; `expired`. */
  readonly status: "ok" | "failing" | "expired";
  /** Seconds since the last refresh. */
  readonly ageSeconds: number;
  /** Seconds for which the credentials are valid, 0 when they are not. */
  readonly remainingSeconds: number;
  /** The code of the last refresh's error, and how many have failed in a row. */
  readonly lastError: { readonly code: string; readonly failures: number } | null;
}
