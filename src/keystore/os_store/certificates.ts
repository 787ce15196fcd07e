/**
 * Certificates of an operating system's store, and their selection.
 *
 * @module
 */
import { HelperError, messageOf } from "../../errors.ts";
import { type Certificate, parseCertificate } from "../../x509/certificate.ts";
import { haveSameKey, isRenewal, sortByPreference } from "../../x509/chain.ts";
import { DerError } from "../../x509/der.ts";
import { formatName, readName } from "../../x509/name.ts";
import { sameBytes } from "../../x509/public_key.ts";
import { type CertificateSelector, matchesSelector, thumbprintHex } from "../../x509/selector.ts";
import { formatSelector } from "../../x509/selector_syntax.ts";
import type { KeystoreContext, ListedCertificate } from "../types.ts";
import { type KeystoreUri, type Scheme, SCHEMES } from "../uri.ts";

/** Parses a store's certificate. Logs a malformed one with `--debug` and returns undefined. */
export function parseStored(
  encoded: Uint8Array,
  debug: (message: string) => void,
): Certificate | undefined {
  try {
    const certificate = parseCertificate(encoded);
    readName(certificate.subject);
    readName(certificate.issuer);
    return certificate;
  } catch (thrown) {
    if (!(thrown instanceof DerError)) throw thrown;
    debug(`skipped an unreadable certificate of the store (${messageOf(thrown)})`);
    return undefined;
  }
}

/** Certificate of a store. Stores add their own handle. */
export interface StoredCertificate {
  readonly certificate: Certificate;
}

/** Returns the certificates that the selector matches, without duplicates, in a stable order. */
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
 * Returns the selected certificate of those that match. Of a certificate and its renewals with the
 * same key, it is the valid one that expires last. With `--use-latest-expiring-certificate` this
 * applies to all matches.
 *
 * Throws `key-not-found` if none matches, or if the selection is ambiguous.
 */
export function chooseStored<T extends StoredCertificate>(
  matches: readonly T[],
  { scheme, displayName }: KeystoreUri,
  context: KeystoreContext,
): T {
  const certificateOf = ({ certificate }: T) => certificate;
  const [first, next] = sortByPreference(matches, context.now(), certificateOf);
  if (!first) {
    throw new HelperError(
      "key-not-found",
      `no certificate in ${SCHEMES[scheme].title} matches ${displayName}; ` +
        `read-certificate-data --certificate ${scheme}: lists all`,
    );
  }
  if (!next || matches.every(({ certificate }) => isRenewal(certificate, first.certificate))) {
    return first;
  }
  if (!context.isOn("use-latest-expiring-certificate") || areEquallyPreferred(first, next)) {
    throw ambiguousError(matches, scheme, displayName);
  }
  return first;
}

function areEquallyPreferred(
  { certificate: a }: StoredCertificate,
  { certificate: b }: StoredCertificate,
): boolean {
  return a.notAfter.getTime() === b.notAfter.getTime() &&
    a.notBefore.getTime() === b.notBefore.getTime() && !haveSameKey(a, b);
}

function ambiguousError(
  matches: readonly StoredCertificate[],
  scheme: Scheme,
  displayName: string,
): HelperError {
  const subjects = [...new Set(matches.map(({ certificate }) => formatName(certificate.subject)))];
  const shown = subjects.slice(0, 3).join("; ") + (subjects.length > 3 ? "; …" : "");
  return new HelperError(
    "key-not-found",
    `${matches.length} certificates in ${SCHEMES[scheme].title} match ${displayName} (${shown}); ` +
      "read-certificate-data lists them with a selector for each",
  );
}

/** Returns the matching certificates for the list of `read-certificate-data`. */
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
