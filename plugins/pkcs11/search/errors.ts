/**
 * The sentences for what is not there, and for what is there several times.
 *
 * @module
 */
import { HelperError } from "../../../src/errors.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { describeToken, formatUri } from "../uri/format.ts";
import type { SessionPool, Token } from "../module/session_pool.ts";

/** More URIs than this do not help in an error. */
const MAX_LISTED = 8;

/** No token that the URI asks for. */
export function noTokenError(uri: KeystoreUri, warnings: readonly string[]): HelperError {
  return new HelperError(
    "key-not-found",
    `${uri.displayName}: no token matches; insert it, or see which certificates there are with: ` +
      `read-certificate-data --certificate pkcs11:${after(warnings)}`,
  );
}

/** An absence in the tokens of one module: another module may have the object. */
export class NoObjectError extends HelperError {
  constructor(message: string) {
    super("key-not-found", message);
  }
}

/** No object that the URI asks for in the tokens it asks for. */
export function noObjectError(
  { uri, tokens, pool }: { uri: KeystoreUri; tokens: readonly Token[]; pool: SessionPool },
  what: "certificate" | "private key" | "certificate or private key",
): NoObjectError {
  const where = tokens.map((token) => describeToken(token)).join(", ");
  return new NoObjectError(
    `${uri.displayName}: no ${what} matches in ${where}; check object, id and type in the URI` +
      after(pool.warnings),
  );
}

/** Several tokens, and a login must know which. */
export function multipleTokensError(uri: KeystoreUri, tokens: readonly Token[]): NoObjectError {
  const uris = tokens.map((token) => formatUri(token, tokens, uri));
  return new NoObjectError(
    `${uri.displayName}: ${tokens.length} tokens match and a PIN goes to one alone; name it: ` +
      listed(uris),
  );
}

/** Several objects, and nothing tells which is meant. */
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
    `${uri.displayName}: ${uris.length} ${what} match; name one: ${listed(uris)}`,
  );
}

function listed(uris: readonly string[]): string {
  const shown = uris.slice(0, MAX_LISTED).join(" or ");
  return uris.length > MAX_LISTED ? `${shown} and ${uris.length - MAX_LISTED} more` : shown;
}

function after(warnings: readonly string[]): string {
  return warnings.length > 0 ? ` (${warnings.join("; ")})` : "";
}
