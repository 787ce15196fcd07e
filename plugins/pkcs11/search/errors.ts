/**
 * Errors for objects that do not exist, and for ambiguous URIs.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { describeToken, formatUri } from "../uri/format.ts";
import type { SessionPool, Token } from "../module/session_pool.ts";

/** Maximum number of URIs in an error. */
const MAX_LISTED = 8;

/** Creates the error that no token matches the URI. */
export function noTokenError(uri: KeystoreUri, warnings: readonly string[]): HelperError {
  return new HelperError(
    "key-not-found",
    `${uri.displayName}: no token matches; insert it, or list certificates with: ` +
      `aws_signing_helper read-certificate-data --certificate pkcs11:${formatWarnings(warnings)}`,
  );
}

/** Error for an object that one module does not have; another module may have it. */
export class NoObjectError extends HelperError {
  constructor(message: string) {
    super("key-not-found", message);
  }
}

/** Creates the error that no object on the matching tokens matches the URI. */
export function noObjectError(
  { uri, tokens, pool }: { uri: KeystoreUri; tokens: readonly Token[]; pool: SessionPool },
  what: "certificate" | "private key" | "certificate or private key",
): NoObjectError {
  const where = tokens.map((token) => describeToken(token)).join(", ");
  return new NoObjectError(
    `${uri.displayName}: no ${what} matches in ${where}; check object, id and type in the URI` +
      formatIdHint(uri) + formatWarnings(pool.warnings),
  );
}

/** Returns the hint for an id without percent-encoding: `id=01` is the two characters, not the byte 01. */
function formatIdHint({ displayName }: KeystoreUri): string {
  const [, id = ""] = /[:;]id=([^;?]*)/i.exec(displayName) ?? [];
  if (id === "" || id.includes("%")) return "";
  const isHex = /^(?:[0-9a-f]{2}){1,20}$/i.test(id);
  return `; an id is written as ${isHex ? id.replace(/../g, "%$&") : "%01"}`;
}

/** Creates the error that several tokens match and a login is required. */
export function multipleTokensError(uri: KeystoreUri, tokens: readonly Token[]): NoObjectError {
  const uris = tokens.map((token) => formatUri(token, tokens, uri));
  return new NoObjectError(
    `${uri.displayName}: ${tokens.length} tokens match, but a PIN is sent to one only; name one: ` +
      formatUris(uris),
  );
}

/** Creates the error that several objects match. */
export function multipleObjectsError(
  uri: KeystoreUri,
  what: "certificates" | "private keys",
  uris: readonly string[],
): HelperError {
  if (new Set(uris).size === 1) {
    return new HelperError(
      "key-not-found",
      `${uri.displayName}: ${uris.length} ${what} match and have the same id and label; ` +
        "change the id or label of one on the token",
    );
  }
  return new HelperError(
    "key-not-found",
    `${uri.displayName}: ${uris.length} ${what} match; name one: ${formatUris(uris)}`,
  );
}

function formatUris(uris: readonly string[]): string {
  const shown = uris.slice(0, MAX_LISTED).join(" or ");
  return uris.length > MAX_LISTED ? `${shown} and ${uris.length - MAX_LISTED} more` : shown;
}

function formatWarnings(warnings: readonly string[]): string {
  return warnings.length > 0 ? ` (${warnings.join("; ")})` : "";
}
