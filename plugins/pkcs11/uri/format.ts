/**
 * Writing `pkcs11:` URIs that name tokens, certificates and keys.
 *
 * @module
 */
import { printableName } from "../../../src/errors.ts";
import type { KeystoreUri } from "../../../src/keystore/uri.ts";
import { sameBytes } from "../../../src/x509/public_key.ts";
import type { Token } from "../module/session_pool.ts";

const TOKEN_ATTRIBUTES = ["model", "manufacturer", "serial"] as const;
/** What is carried over from the user's URI: with them the module is found again; no PIN. */
const KEPT_ATTRIBUTES = ["module-path", "module-name"] as const;

/** An object as a URI names it. */
export interface NamedObject {
  readonly id: Uint8Array;
  readonly label: Uint8Array;
  readonly type: "cert" | "private";
  /** Of the certificate, where the rest does not tell it from others. */
  readonly sha256?: string;
}

/** A URI of a token, or of an object in it; `others` are the tokens it must be told from. */
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

/** Returns a text of a token for a message. */
export function printableBytes(bytes: Uint8Array): string {
  return printableName(new TextDecoder().decode(bytes));
}

/** A token for people. */
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
