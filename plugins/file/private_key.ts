/**
 * Reads the three plain encodings of private keys: PKCS#8 (RFC 5208, RFC 5958), PKCS#1 (RFC 8017)
 * and SEC1 (RFC 5915).
 *
 * @module
 */
import {
  contextTag,
  DerError,
  DerReader,
  readSequence,
  TAG,
  wholeBytes,
} from "../../src/x509/der.ts";
import { type KeyType, keyTypeOf, type MlDsaKeyType } from "../../src/x509/key_types.ts";
import { readAlgorithmIdentifier } from "../../src/x509/public_key.ts";
import { derKindOf } from "./der_kind.ts";
import { openEcKey } from "./ec.ts";
import { UnsupportedFormatError } from "./errors.ts";
import type { PrivateKey, PrivateKeyInfo } from "./private_key_info.ts";
import { openRsaKey } from "./rsa.ts";

const DSA = "1.2.840.10040.4.1";

type OpenKey = (info: PrivateKeyInfo) => PrivateKey | Promise<PrivateKey>;

const openMlDsa = (keyType: MlDsaKeyType): OpenKey => async (info) =>
  await (await import("./ml_dsa.ts")).openMlDsaKey(info, keyType);

const OPENERS: Readonly<Record<KeyType, OpenKey>> = {
  "RSA": openRsaKey,
  "EC": openEcKey,
  "ML-DSA-44": openMlDsa("ML-DSA-44"),
  "ML-DSA-65": openMlDsa("ML-DSA-65"),
  "ML-DSA-87": openMlDsa("ML-DSA-87"),
};

/**
 * Reads a plain private key.
 *
 * `ecParameters` come from an `EC PARAMETERS` block before the key. Throws {@link DerError} if the
 * key is malformed, and `KeyTypeError` if its type cannot be used.
 */
export function readPrivateKey(der: Uint8Array, ecParameters?: Uint8Array): PrivateKeyInfo {
  switch (derKindOf(der)) {
    case "pkcs8":
      return readPkcs8(der);
    case "pkcs1":
      return { keyType: "RSA", privateKey: der };
    case "sec1":
      return readSec1(der, ecParameters);
    case "dsa":
      return { keyType: keyTypeOf(DSA), privateKey: der }; // throws, like DSA keys in PKCS#8
    case "encrypted-pkcs8":
      throw new UnsupportedFormatError("the key is encrypted twice; remove one passphrase");
    default:
      throw new DerError("no private key in it");
  }
}

/** Makes a key that can sign. The caller may wipe the bytes of `info` afterwards. */
export async function openPrivateKey(info: PrivateKeyInfo): Promise<PrivateKey> {
  return await OPENERS[info.keyType](info);
}

function readPkcs8(der: Uint8Array): PrivateKeyInfo {
  const info = readSequence(der);
  const version = info.smallInteger();
  if (version > 1) throw new DerError("a PKCS#8 version that does not exist");
  const { oid, parameters } = readAlgorithmIdentifier(info.sequence());
  const privateKey = info.octetString();
  info.optional(contextTag(0, true));
  const publicKey = info.optional(contextTag(1, false)) ?? readExplicitPublicKey(info);
  info.end();
  return {
    keyType: keyTypeOf(oid),
    privateKey,
    ...(parameters ? { parameters } : {}),
    ...(publicKey ? { publicKey: wholeBytes(publicKey.contents) } : {}),
  };
}

/** Reads an explicitly tagged public key, which some programs write against RFC 5958. */
function readExplicitPublicKey(info: DerReader): { contents: Uint8Array } | undefined {
  const tagged = info.optional(contextTag(1, true));
  return tagged && new DerReader(tagged.contents).expect(TAG.bitString);
}

function readSec1(der: Uint8Array, ecParameters: Uint8Array | undefined): PrivateKeyInfo {
  const key = readSequence(der);
  key.integer();
  key.octetString();
  const parameters = key.optional(contextTag(0, true))?.contents ?? ecParameters;
  if (!parameters) throw new DerError("an EC key that does not name its curve");
  return { keyType: "EC", parameters, privateKey: der };
}
