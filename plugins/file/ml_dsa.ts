/**
 * ML-DSA keys (FIPS 204) in the three encodings of RFC 9881.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import {
  contextTag,
  DerError,
  DerReader,
  encodeObjectIdentifier,
  encodeSequence,
  TAG,
} from "../../src/x509/der.ts";
import { KEY_TYPES, type MlDsaKeyType } from "../../src/x509/key_types.ts";
import { encodePublicKey, parsePublicKey, sameBytes } from "../../src/x509/public_key.ts";
import type { PrivateKey, PrivateKeyInfo } from "./private_key_info.ts";

const SEED_BYTES = 32;

interface EncodedKey {
  readonly seed?: Uint8Array;
  readonly expanded?: Uint8Array;
}

/**
 * Makes a key from an ML-DSA private key. Throws `DerError` if it is malformed, or if seed, expanded
 * key and public key do not match.
 */
export async function openMlDsaKey(
  info: PrivateKeyInfo,
  keyType: MlDsaKeyType,
): Promise<PrivateKey> {
  const scheme = await schemeOf(keyType);
  const { seed, expanded } = readMlDsaPrivateKey(info.privateKey);
  const secretKey = seed ? scheme.keygen(seed).secretKey : Uint8Array.from(expanded ?? []);
  if (secretKey.length !== scheme.lengths.secretKey) {
    throw new DerError(`an expanded ${keyType} key of wrong length`);
  }
  if (seed && expanded && !timingSafeEqual(secretKey, expanded)) {
    throw new DerError(`an ${keyType} seed that does not match the expanded key`);
  }
  const bits = publicKeyBits(scheme, secretKey, keyType);
  if (!seed) checkExpandedKey(scheme, secretKey, bits, keyType);
  if (info.publicKey && !sameBytes(info.publicKey, bits)) {
    throw new DerError("a public key that does not match the private key");
  }
  return {
    publicKey: parsePublicKey(encodePublicKey(algorithmIdentifier(keyType), bits)),
    sign: (message) => Promise.resolve(scheme.sign(message, secretKey)),
    [Symbol.asyncDispose]() {
      secretKey.fill(0);
      return Promise.resolve();
    },
  };
}

async function schemeOf(keyType: MlDsaKeyType) {
  const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import("@noble/post-quantum/ml-dsa.js");
  return { "ML-DSA-44": ml_dsa44, "ML-DSA-65": ml_dsa65, "ML-DSA-87": ml_dsa87 }[keyType];
}

type Scheme = Awaited<ReturnType<typeof schemeOf>>;

/**
 * Reads `CHOICE { seed [0] OCTET STRING, expandedKey OCTET STRING, both SEQUENCE }`, RFC 9881
 * section 6.
 */
function readMlDsaPrivateKey(privateKey: Uint8Array): EncodedKey {
  const choice = new DerReader(privateKey);
  const { tag, contents } = choice.next();
  choice.end();
  if (tag === TAG.octetString) return { expanded: contents };
  if (tag === contextTag(0, false)) return { seed: checkSeed(contents) };
  if (tag !== TAG.sequence) throw new DerError("an ML-DSA key that is neither seed nor expanded");
  const both = new DerReader(contents);
  const seed = checkSeed(both.octetString());
  const expanded = both.octetString();
  both.end();
  return { seed, expanded };
}

function checkSeed(seed: Uint8Array): Uint8Array {
  if (seed.length !== SEED_BYTES) throw new DerError("an ML-DSA seed that is not of 32 bytes");
  return seed;
}

function publicKeyBits(scheme: Scheme, secretKey: Uint8Array, keyType: string): Uint8Array {
  try {
    return scheme.getPublicKey(secretKey);
  } catch (cause) {
    throw inconsistentKeyError(keyType, cause);
  }
}

/**
 * Checks the consistency of an expanded key with a trial signature. This does not detect a wrong
 * `K`, which only randomizes signing, or small errors in `t0`.
 */
function checkExpandedKey(
  scheme: Scheme,
  secretKey: Uint8Array,
  bits: Uint8Array,
  keyType: string,
): void {
  const message = randomBytes(32);
  let verified: boolean;
  try {
    verified = scheme.verify(scheme.sign(message, secretKey), message, bits);
  } catch (cause) {
    throw inconsistentKeyError(keyType, cause);
  }
  if (!verified) throw inconsistentKeyError(keyType);
}

function inconsistentKeyError(keyType: string, cause?: unknown): DerError {
  const error = new DerError(`an expanded ${keyType} key whose parts do not match`);
  error.cause = cause;
  return error;
}

function algorithmIdentifier(keyType: MlDsaKeyType): Uint8Array {
  const [oid = ""] = Object.entries(KEY_TYPES).find(([, name]) => name === keyType) ?? [];
  return encodeSequence(encodeObjectIdentifier(oid));
}
