/**
 * The certificates of an operating system's store, and which of them a selector means.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import { type Certificate, parseCertificate } from "../../x509/certificate.ts";
import { byPreference, haveSameKey, isRenewal } from "../../x509/chain.ts";
import { DerError } from "../../x509/der.ts";
import { formatName, readName } from "../../x509/name.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { type CertificateSelector, matchesSelector, thumbprintHex } from "../../x509/selector.ts";
import { formatSelector } from "../../x509/selector_syntax.ts";
import type { KeystoreContext, ListedCertificate } from "../types.ts";
import { type KeystoreUri, type Scheme, SCHEMES } from "../uri.ts";

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
export interface StoredCertificate {
  readonly certificate: Certificate;
}

/** Those that the selector matches, each certificate once, in an order that does not change. */
export async function selectStored<T extends StoredCertificate>(
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
 * Returns the one that is meant of those that match: the only one; of a certificate and its renewals
 * with the same key the one that is valid now and expires last; with
 * `--use-latest-expiring-certificate` the same of any others.
 *
 * Throws `key-not-found` if there is none, or if several could be meant.
 */
export function chooseStored<T extends StoredCertificate>(
  matches: readonly T[],
  { scheme, displayName: label }: KeystoreUri,
  context: KeystoreContext,
): T {
  const certificateOf = ({ certificate }: T) => certificate;
  const [first, next] = byPreference(matches, context.now(), certificateOf);
  if (!first) {
    throw new HelperError(
      "key-not-found",
      `no certificate in ${SCHEMES[scheme].title} matches ${label}; ` +
        `read-certificate-data --certificate ${scheme}: lists all`,
    );
  }
  if (!next || matches.every(({ certificate }) => isRenewal(certificate, first.certificate))) {
    return first;
  }
  if (!context.isOn("use-latest-expiring-certificate") || areEqual(first, next)) {
    throw several(matches, scheme, label);
  }
  return first;
}

function areEqual(
  { certificate: a }: StoredCertificate,
  { certificate: b }: StoredCertificate,
): boolean {
  return a.notAfter.getTime() === b.notAfter.getTime() &&
    a.notBefore.getTime() === b.notBefore.getTime() && !haveSameKey(a, b);
}

function several(
  matches: readonly StoredCertificate[],
  scheme: Scheme,
  label: string,
): HelperError {
  const subjects = [...new Set(matches.map(({ certificate }) => formatName(certificate.subject)))];
  const shown = subjects.slice(0, 3).join("; ") + (subjects.length > 3 ? "; …" : "");
  return new HelperError(
    "key-not-found",
    `${matches.length} certificates in ${SCHEMES[scheme].title} match ${label} (${shown}); ` +
      "read-certificate-data lists them with a selector for each",
  );
}

/** The matching certificates as `read-certificate-data` lists them. */
export async function listStored(
  stored: readonly StoredCertificate[],
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
