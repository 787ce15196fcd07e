/**
 * What the stores of operating systems (`cng:`, `keychain:`) have in common: a URI whose path
 * attributes are a selector, and certificates of which it selects some.
 *
 * @module
 */
import { HelperError, messageOf } from "../errors.ts";
import { type Certificate, parseCertificate, publicKeyOf } from "../x509/certificate.ts";
import { hasPublicKey } from "../x509/chain.ts";
import { DerError } from "../x509/der.ts";
import { KeyTypeError } from "../x509/key_types.ts";
import { formatName, readName } from "../x509/name.ts";
import { type PublicKey, sameBytes } from "../x509/public_key.ts";
import {
  type CertificateSelector,
  isSelectorKey,
  matchesSelector,
  parseSelector,
  SELECTOR_KEYS,
  SelectorError,
  type SelectorKey,
  thumbprintHex,
} from "../x509/selector.ts";
import { formatSelector } from "../x509/selector_text.ts";
import { verifySignature } from "../x509/verify.ts";
import type { Digest, KeystoreContext, ListedCertificate } from "./types.ts";
import { type KeystoreUri, type Scheme, SCHEMES } from "./uri.ts";

/** What the URI of a store says. */
export interface StoreQuery {
  readonly selector: CertificateSelector;
  /** Other attributes, by name. */
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Reads a store's URI: the keys of selectors and `settingNames` as path attributes.
 *
 * Throws `usage` for anything else in it, and for values that cannot be right.
 */
export function parseStoreUri(
  { scheme, label, attributes, query }: KeystoreUri,
  settingNames: readonly string[],
): StoreQuery {
  const refuse = (why: string, cause?: unknown) =>
    new HelperError("usage", `${label}: ${why}`, { cause });
  if (query.size > 0) throw refuse(`a ${scheme}: URI has no "?"; write it as %3F within a value`);
  const values = new Map<SelectorKey, string>();
  const settings = new Map<string, string>();
  for (const [name, bytes] of attributes) {
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw refuse(`the value of "${name}" is not UTF-8`, cause);
    }
    if (isSelectorKey(name)) values.set(name, text);
    else if (settingNames.includes(name)) settings.set(name, text);
    else {
      const known = [...SELECTOR_KEYS, ...settingNames].join(", ");
      throw refuse(`unknown attribute "${name}"; the attributes are ${known}`);
    }
  }
  try {
    return { selector: parseSelector(values), settings };
  } catch (cause) {
    if (!(cause instanceof SelectorError)) throw cause;
    throw refuse(cause.message, cause);
  }
}

/** The certificate of a store's bytes; undefined, and a word under `--debug`, when it is malformed. */
export function parseStored(
  encoded: Uint8Array,
  debug: (words: string) => void,
): Certificate | undefined {
  try {
    const certificate = parseCertificate(encoded);
    readName(certificate.subject);
    readName(certificate.issuer);
    return certificate;
  } catch (thrown) {
    if (!(thrown instanceof DerError)) throw thrown;
    debug(`a certificate of the store was skipped: it cannot be read (${messageOf(thrown)})`);
    return undefined;
  }
}

/** One certificate of a store, with what the store knows it by. */
export interface Stored {
  readonly certificate: Certificate;
}

/** Those that the selector matches, each certificate once, in an order that does not change. */
export async function selectStored<T extends Stored>(
  stored: readonly T[],
  selector: CertificateSelector,
): Promise<T[]> {
  const found: { item: T; order: string }[] = [];
  for (const item of stored) {
    const { certificate } = item;
    if (found.some((other) => isSame(other.item.certificate, certificate))) continue;
    if (!await matchesSelector(selector, certificate)) continue;
    const order = [
      formatName(certificate.subject),
      certificate.notAfter.toISOString(),
      await thumbprintHex(certificate),
    ].join("\0");
    found.push({ item, order });
  }
  return found.sort((a, b) => a.order < b.order ? -1 : 1).map(({ item }) => item);
}

const isSame = (a: Certificate, b: Certificate) => sameBytes(a.encoded, b.encoded);

/**
 * The one that is meant of those that match: the only one, or, with
 * `--use-latest-expiring-certificate`, the one that expires last (of several, the one that became
 * valid last).
 *
 * Throws `key-not-found` when there is none, `usage` when it cannot be told.
 */
export function chooseStored<T extends Stored>(
  matches: readonly T[],
  { scheme, label }: KeystoreUri,
  context: KeystoreContext,
): T {
  const [first] = matches;
  if (!first) {
    throw new HelperError(
      "key-not-found",
      `no certificate in ${SCHEMES[scheme]} matches ${label}; ` +
        `read-certificate-data --certificate ${scheme}: lists all`,
    );
  }
  if (matches.length === 1) return first;
  if (!context.isOn("use-latest-expiring-certificate")) throw several(matches, scheme, label);
  const rank = ({ certificate: { notAfter, notBefore } }: T) =>
    [notAfter.getTime(), notBefore.getTime()] as const;
  const [latest, next] = matches.toSorted((a, b) =>
    rank(b)[0] - rank(a)[0] || rank(b)[1] - rank(a)[1]
  );
  if (latest && next && rank(latest).join() === rank(next).join()) {
    throw several(matches, scheme, label);
  }
  return latest ?? first;
}

function several(matches: readonly Stored[], scheme: Scheme, label: string): HelperError {
  const subjects = [...new Set(matches.map(({ certificate }) => formatName(certificate.subject)))];
  const shown = subjects.slice(0, 3).join("; ") + (subjects.length > 3 ? "; …" : "");
  return new HelperError(
    "key-not-found",
    `${matches.length} certificates in ${SCHEMES[scheme]} match ${label} (${shown}); ` +
      "read-certificate-data lists them with a selector for each",
  );
}

/** The matching certificates as `read-certificate-data` lists them. */
export async function listStored(
  stored: readonly Stored[],
  selector: CertificateSelector,
): Promise<ListedCertificate[]> {
  const all = stored.map(({ certificate }) => certificate);
  const different = all.filter((certificate, i) =>
    !all.slice(0, i).some((earlier) => isSame(earlier, certificate))
  );
  const matches = await selectStored(stored, selector);
  return await Promise.all(matches.map(async ({ certificate }) => ({
    certificate,
    selector: await formatSelector(certificate, different),
  })));
}

/** Whether two certificates hold the same key, of a kind that can be used. */
export function hasKeyOf(certificate: Certificate, other: Certificate): boolean {
  try {
    return hasPublicKey(certificate, publicKeyOf(other));
  } catch {
    return false;
  }
}

/** A public key of a kind that stores sign with. */
export type StoreKey = PublicKey & { readonly keyType: "RSA" | "EC" };

/** The certificate's key. Throws `key-unsupported` when stores do not sign with its kind. */
export function storeKeyOf(certificate: Certificate, { scheme, label }: KeystoreUri): StoreKey {
  try {
    const publicKey = publicKeyOf(certificate);
    const { keyType } = publicKey;
    if (keyType === "RSA" || keyType === "EC") return { ...publicKey, keyType };
    throw new KeyTypeError(
      `${keyType} keys in ${SCHEMES[scheme]} cannot be used; ` +
        `use RSA or EC there, or an ${keyType} key in a file`,
    );
  } catch (cause) {
    if (!(cause instanceof KeyTypeError || cause instanceof DerError)) throw cause;
    throw new HelperError("key-unsupported", `${label}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Signs, and makes sure that the signature is of the certificate's key: a store may name a key for a
 * certificate that another import has replaced since. Throws `key-mismatch`, and what `sign` throws.
 */
export async function signChecked(
  sign: (message: Uint8Array, digest: Digest) => Promise<Uint8Array>,
  publicKey: PublicKey,
  label: string,
  message: Uint8Array,
  digest: Digest,
): Promise<Uint8Array> {
  const signature = await sign(message, digest);
  if (await verifySignature(publicKey, message, digest, signature)) return signature;
  throw new HelperError(
    "key-mismatch",
    `the private key that the store has for ${label} is not the certificate's; ` +
      "import the certificate again with its key",
  );
}
