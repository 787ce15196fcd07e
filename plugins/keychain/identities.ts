/**
 * Identities in the keychains of the search list: certificates with their private keys.
 *
 * @module
 */
import { parseStored } from "../../src/keystore/os_store/certificates.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import type { CFObject, Frameworks } from "./frameworks.ts";
import { ITEM_NOT_FOUND, keychainError, SUCCESS } from "./status.ts";

/** Identity. Its objects live as long as the stack of the search. */
export interface StoredIdentity {
  readonly certificate: Certificate;
  /** `SecIdentityRef`. */
  readonly identity: CFObject;
  /** `SecCertificateRef`. */
  readonly reference: CFObject;
}

/**
 * Returns all identities in the keychain's order, or an empty list. Skips an identity whose
 * certificate cannot be read, and logs it with `--debug`.
 *
 * Throws a `key-…` error if the keychains cannot be searched.
 */
export function findIdentities(
  frameworks: Frameworks,
  stack: DisposableStack,
  debug: (message: string) => void,
): StoredIdentity[] {
  const { security } = frameworks;
  const query = frameworks.dictionary([
    [frameworks.constant("kSecClass"), frameworks.constant("kSecClassIdentity")],
    [frameworks.constant("kSecReturnRef"), frameworks.constant("kCFBooleanTrue")],
    [frameworks.constant("kSecMatchLimit"), frameworks.constant("kSecMatchLimitAll")],
  ], stack);
  const { status, object } = frameworks.copy(
    stack,
    (result) => security.SecItemCopyMatching(query, result),
  );
  if (status !== SUCCESS && status !== ITEM_NOT_FOUND) {
    throw keychainError("the keychain cannot be searched", status);
  }
  const identities = object ? frameworks.elementsOf(object) : [];
  debug(`keychain: ${identities.length} identities`);
  return identities.flatMap((identity) => readIdentity(frameworks, identity, stack, debug) ?? []);
}

function readIdentity(
  frameworks: Frameworks,
  identity: CFObject,
  stack: DisposableStack,
  debug: (message: string) => void,
): StoredIdentity | undefined {
  const { status, object: reference } = frameworks.copy(
    stack,
    (result) => frameworks.security.SecIdentityCopyCertificate(identity, result),
  );
  if (!reference) {
    debug(keychainError("an identity was skipped", status).message);
    return undefined;
  }
  const certificate = readCertificate(frameworks, reference, debug);
  return certificate && { certificate, identity, reference };
}

/** Reads the certificate of a `SecCertificateRef`. Returns undefined if it is malformed. */
export function readCertificate(
  frameworks: Frameworks,
  reference: CFObject,
  debug: (message: string) => void,
): Certificate | undefined {
  using stack = new DisposableStack();
  const data = frameworks.track(frameworks.security.SecCertificateCopyData(reference), stack);
  return parseStored(data ? frameworks.bytesOf(data) : new Uint8Array(), debug);
}
