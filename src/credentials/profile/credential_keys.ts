/**
 * Keys of credentials in a credentials file.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";

/** Keys that are added to a profile, in their order. */
export const CREDENTIAL_KEYS = [
  "aws_access_key_id",
  "aws_secret_access_key",
  "aws_session_token",
] as const;

/**
 * Older name of the session token. botocore prefers it, so an old token under this name would be sent
 * with the new key. If the key exists, it gets the new token too.
 */
export const OLD_TOKEN_KEY = "aws_security_token";

/** All keys whose existing values are replaced. */
export const WRITTEN_KEYS: ReadonlySet<string> = new Set([...CREDENTIAL_KEYS, OLD_TOKEN_KEY]);

/**
 * Returns the value of each key. Throws `service-answer` for credentials that contain spaces or
 * line ends. A line end could add any setting to the file, such as a program to run.
 */
export function valuesByKey(credentials: SessionCredentials): ReadonlyMap<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const values = [accessKeyId, secretAccessKey, sessionToken];
  if (!values.every((value) => /^(?![#;])[!-~]+$/.test(value))) {
    throw new HelperError(
      "service-answer",
      "the endpoint returned credentials that a credentials file cannot hold; " +
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
