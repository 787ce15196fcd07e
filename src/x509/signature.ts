/**
 * Verifying signatures with the public keys of certificates.
 *
 * @module
 */
import { ecdsaSignatureFromDer } from "./der.ts";
import { parsePublicKey } from "./public_key.ts";

/** Hash functions by their WebCrypto names. */
export type HashName = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";

/** How a signature was made: PKCS#1 v1.5 (`RSA`), PSS, ECDSA with DER `r, s`, or Ed25519. */
export type SignatureScheme =
  | { readonly name: "RSA" | "ECDSA"; readonly hash: HashName }
  | { readonly name: "RSA-PSS"; readonly hash: HashName; readonly saltLength: number }
  | { readonly name: "Ed25519" };

/** What WebCrypto is to be told. */
interface Verification {
  readonly key: RsaHashedImportParams | EcKeyImportParams | AlgorithmIdentifier;
  readonly algorithm: AlgorithmIdentifier | EcdsaParams | RsaPssParams;
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * Whether `signature` over `message` was made with the key of a DER SubjectPublicKeyInfo. False also
 * where key and scheme do not fit together, or nothing here can tell.
 */
export async function verifySignature(
  publicKeyInfo: Uint8Array,
  scheme: SignatureScheme,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  try {
    const spki = Uint8Array.from(publicKeyInfo);
    const verification = prepare(spki, scheme, Uint8Array.from(signature));
    if (!verification) return false;
    const key = await crypto.subtle.importKey("spki", spki, verification.key, false, ["verify"]);
    return await crypto.subtle.verify(
      verification.algorithm,
      key,
      verification.signature,
      Uint8Array.from(message),
    );
  } catch {
    return false; // a key or signature that is malformed, or of another kind than the scheme
  }
}

function prepare(
  spki: Uint8Array,
  scheme: SignatureScheme,
  signature: Uint8Array<ArrayBuffer>,
): Verification | undefined {
  switch (scheme.name) {
    case "RSA": {
      const name = "RSASSA-PKCS1-v1_5";
      return { key: { name, hash: scheme.hash }, algorithm: name, signature };
    }
    case "RSA-PSS":
      return { key: { name: scheme.name, hash: scheme.hash }, algorithm: scheme, signature };
    case "Ed25519":
      return { key: scheme.name, algorithm: scheme.name, signature };
    case "ECDSA": {
      const { curve } = parsePublicKey(spki);
      const raw = curve && ecdsaSignatureFromDer(signature, curve.coordinateBytes);
      const key = { name: scheme.name, namedCurve: curve?.name ?? "" };
      return raw && { key, algorithm: scheme, signature: raw };
    }
  }
}
