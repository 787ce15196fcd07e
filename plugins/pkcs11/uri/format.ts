/**
 * Formats `pkcs11:` URIs of tokens, certificates and keys.
 *
 * @module
 */
import { printableName } from "../../../src/errors.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { sameBytes } from "../../../src/x509/public_key.ts";
import type { Token } from "../module/session_pool.ts";

const TOKEN_ATTRIBUTES = ["model", "manufacturer", "serial"] as const;
/** Query attributes to keep from the user's URI: those of the module, never a PIN. */
const KEPT_ATTRIBUTES = ["module-path", "module-name"] as const;

/** Object attributes for a URI. */
export interface NamedObject {
  readonly id: Uint8Array;
  readonly label: Uint8Array;
  readonly type: "cert" | "private";
  /** SHA-256 of the certificate, if the other attributes match several. */
  readonly sha256?: string;
}

/** Formats the URI of a token or its object, which must not match the tokens `others`. */
export function formatUri(
  token: Token,
  others: readonly Token[],
  asked: KeystoreUri,
  object?: NamedObject,
): string {
  const { info } = token;
  const isTwin = (other: Token) =>
    other.slot !== token.slot && sameBytes(other.info.label, info.label) &&
    TOKEN_ATTRIBUTES.every((name) => sameBytes(other.info[name], info[name]));
  const path = [
    ...TOKEN_ATTRIBUTES.map((name) => `${name}=${escape(info[name])}`),
    `token=${escape(info.label)}`,
    ...(others.some(isTwin) ? [`slot-id=${token.slot}`] : []),
    ...(object && object.id.length > 0 ? [`id=${escapeAll(object.id)}`] : []),
    ...(object && object.label.length > 0 ? [`object=${escape(object.label)}`] : []),
    ...(object ? [`type=${object.type}`] : []),
    ...(object?.sha256 === undefined ? [] : [`x-certificate-sha256=${object.sha256}`]),
  ];
  const query = KEPT_ATTRIBUTES.flatMap((name) => {
    const value = asked.query.get(name);
    return value ? [`${name}=${escape(value)}`] : [];
  });
  return `pkcs11:${path.join(";")}${query.length > 0 ? `?${query.join("&")}` : ""}`;
}

/** Makes a text of a token safe for a message. */
export function printableBytes(bytes: Uint8Array): string {
  return printableName(new TextDecoder().decode(bytes));
}

/** Returns the name of a token for messages. */
export function describeToken({ info }: Token): string {
  return `token "${printableBytes(info.label)}"`;
}

/** Percent-encodes all but unreserved characters (RFC 3986 section 2.3). */
function escape(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9._~-]/.test(character) ? character : escapeAll(Uint8Array.of(byte));
  }).join("");
}

function escapeAll(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}
