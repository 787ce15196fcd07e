/**
 * Issuers that macOS finds for a certificate.
 *
 * @module
 */
import { MAX_CHAIN_LENGTH } from "../../src/keystore/open_identity.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { sameBytes } from "../../src/x509/public_key.ts";
import { withoutRoot } from "../../src/x509/without_root.ts";
import type { CFObject, Frameworks } from "./frameworks.ts";
import { readCertificate, type StoredIdentity } from "./identities.ts";
import { keychainError, SUCCESS } from "./status.ts";

/**
 * Returns the issuers of an identity's certificate, from the keychains only. Excludes a self-signed
 * root, which is the service's trust anchor. Trust is not required, because a private CA is rarely
 * trusted by the machine.
 */
export function issuersOf(
  frameworks: Frameworks,
  { certificate, reference }: StoredIdentity,
  debug: (message: string) => void,
): Certificate[] {
  using stack = new DisposableStack();
  const { security } = frameworks;
  const policy = frameworks.track(security.SecPolicyCreateBasicX509(), stack);
  const subject = frameworks.array([reference], stack);
  const { status, object: trust } = frameworks.copy(
    stack,
    (result) => security.SecTrustCreateWithCertificates(subject, policy, result),
  );
  const offline = trust ? security.SecTrustSetNetworkFetchAllowed(trust, 0) : SUCCESS;
  if (!trust || offline !== SUCCESS) {
    debug(keychainError("the certificate is sent without its issuers", status || offline).message);
    return [];
  }
  const error = new BigUint64Array(1);
  if (!security.SecTrustEvaluateWithError(trust, error)) {
    frameworks.track(Deno.UnsafePointer.create(error[0] ?? 0n), stack);
    debug("this machine does not trust the certificate's issuers; they are sent anyway");
  }
  const found = chainOf(frameworks, trust, stack)
    .flatMap((element) => readCertificate(frameworks, element, debug) ?? [])
    .filter(({ encoded }) => !sameBytes(encoded, certificate.encoded));
  return withoutRoot(found).slice(0, MAX_CHAIN_LENGTH);
}

/** Returns the evaluated path: `SecCertificateRef`s that live as long as the stack. */
function chainOf(frameworks: Frameworks, trust: CFObject, stack: DisposableStack): CFObject[] {
  const {
    SecTrustCopyCertificateChain,
    SecTrustGetCertificateCount,
    SecTrustGetCertificateAtIndex,
  } = frameworks.security;
  if (SecTrustCopyCertificateChain) {
    const array = frameworks.track(SecTrustCopyCertificateChain(trust), stack);
    return array ? frameworks.elementsOf(array) : [];
  }
  if (!SecTrustGetCertificateCount || !SecTrustGetCertificateAtIndex) return [];
  const count = Number(SecTrustGetCertificateCount(trust));
  return Array.from({ length: count }, (_, i) => SecTrustGetCertificateAtIndex(trust, BigInt(i)))
    .filter((element) => element !== null);
}
