import { Buffer } from "node:buffer";
import { createPrivateKey, sign } from "node:crypto";

import type { Identity } from "../../src/keystore/open_identity.ts";
import { type Certificate, parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import { derOf } from "../x509/test_certificates.ts";

/** Identity that signs with node:crypto and records the signed data. */
export interface TestIdentity extends Identity {
  readonly signed: { readonly message: string; readonly digest: Digest }[];
}

/** Parts of an identity; `signWith` replaces a key that node:crypto does not support. */
export interface IdentityParts {
  readonly certificatePem: string;
  readonly keyPem?: string;
  readonly chain?: readonly Certificate[];
  readonly signWith?: (message: Uint8Array) => Uint8Array;
}

/** Builds an identity that signs with node:crypto or `signWith`. */
export function identityOf(parts: IdentityParts): TestIdentity {
  const { certificatePem, keyPem, chain = [], signWith } = parts;
  const certificate = parseCertificate(derOf(certificatePem));
  const key = keyPem === undefined ? undefined : createPrivateKey(keyPem);
  const signed: TestIdentity["signed"] = [];
  const makeSignature = (message: Uint8Array, digest: Digest): Uint8Array => {
    signed.push({ message: new TextDecoder().decode(message), digest });
    if (signWith) return signWith(message);
    if (!key) throw new Error("this identity has no key");
    return new Uint8Array(sign(digest.replace("-", ""), Buffer.from(message), key));
  };
  return {
    signed,
    certificate,
    chain,
    signer: {
      publicKey: publicKeyOf(certificate),
      certificates: [certificate],
      sign: (message, digest) => Promise.resolve(makeSignature(message, digest)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
