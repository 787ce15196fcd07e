/**
 * The keys by which a credentials file has credentials.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";

/** Keys that a profile gets, in the order in which they are written. */
export const CREDENTIAL_KEYS = [
  "aws_access_key_id",
  "aws_secret_access_key",
  "aws_session_token",
] as const;

/**
 * An older name of the session token. botocore reads it before today's, so that an old token under
 * this name would be sent with the new key: where it stands, it gets the new token too.
 */
export const OLD_TOKEN_KEY = "aws_security_token";

/** Every key that is written, where it stands. */
export const WRITTEN_KEYS: ReadonlySet<string> = new Set([...CREDENTIAL_KEYS, OLD_TOKEN_KEY]);

/**
 * What each key is to have. Throws `service-answer` for credentials that are more than a word each: a
 * line end in one of them could bring any setting into the file, such as a program to run.
 */
export function valuesByKey(credentials: SessionCredentials): ReadonlyMap<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const values = [accessKeyId, secretAccessKey, sessionToken];
  if (!values.every((value) => /^(?![#;])[!-~]+$/.test(value))) {
    throw new HelperError(
      "service-answer",
      "the endpoint answered with credentials that cannot stand in a credentials file; " +
        "check --endpoint",
    );
  }
  return new Map([
    [CREDENTIAL_KEYS[0], accessKeyId],
    [CREDENTIAL_KEYS[1], secretAccessKey],
    [CREDENTIAL_KEYS[2], sessionToken],
    [OLD_TOKEN_KEY, sessionToken],
  ]);
}
