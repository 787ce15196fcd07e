/**
 * Response documents that SDKs read, made from credentials, role and region. Pure.
 *
 * @module
 */
import { formatTime } from "../credentials/format_time.ts";
import type { SessionCredentials } from "../rolesanywhere/create_session.ts";

/** Credentials, and the time of their fetch. */
export interface ServedCredentials extends SessionCredentials {
  readonly fetched: Date;
}

/** Returns `…/security-credentials/<role>` of the instance metadata service (Amazon EC2 User Guide). */
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

/** Returns the document of a container credential provider (AWS SDKs and Tools Reference Guide). */
export function containerCredentials(credentials: ServedCredentials, roleArn: string): string {
  return JSON.stringify({
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatTime(credentials.expiration),
    RoleArn: roleArn,
  });
}

/** Returns the instance identity document with the only known field, the region. */
export function identityDocument(region: string): string {
  return JSON.stringify({ region });
}

/** Health of the refresher, for probes. */
export interface Health {
  /** `ok`; `failing` if the last refresh failed and credentials are still valid; `expired`. */
  readonly status: "ok" | "failing" | "expired";
  /** Seconds since the last refresh. */
  readonly ageSeconds: number;
  /** Remaining validity of the credentials; 0 if they are expired. */
  readonly remainingSeconds: number;
  /** Error code of the last refresh, and the number of failures in a row. */
  readonly lastError: { readonly code: string; readonly failures: number } | null;
}
