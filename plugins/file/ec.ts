/**
 * EC keys: ECDSA (FIPS 186-5) on the NIST curves.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import {
  contextTag,
  DerError,
  DerReader,
  ecdsaSignatureToDer,
  encodeElement,
  encodeObjectIdentifier,
  encodeSequence,
  encodeUnsignedInteger,
  readSequence,
  TAG,
  unsigned,
} from "../../src/x509/der.ts";
import { type Curve, curveOf, KeyTypeError } from "../../src/x509/key_types.ts";
import {
  ecPublicKey,
  parsePublicKey,
  type PublicKey,
  sameBytes,
} from "../../src/x509/public_key.ts";
import { type Digest, verifySignature } from "../../src/x509/verify_signature.ts";
import type { PrivateKey, PrivateKeyInfo } from "./private_key_info.ts";

/**
 * Makes a key from an ECPrivateKey (RFC 5915). Throws `DerError` if the private key is not a number
 * of its curve. Also throws it if the file has a different public key. The key's first signature
 * throws it too.
 */
export async function openEcKey(info: PrivateKeyInfo): Promise<PrivateKey> {
  const curve = namedCurve(info.parameters);
  const { scalar, publicKeys } = readEcPrivateKey(info, curve);
  try {
    const written = publicKeys.find((point) => point[0] === UNCOMPRESSED_POINT);
    const pair = (written && await importPair(scalar, curve, written)) ??
      await derivePair(scalar, curve);
    if (!publicKeys.every((found) => isSamePoint(found, pair.publicKey.bits))) throw mismatch();
    return {
      publicKey: pair.publicKey,
      sign: signerOf(pair),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  } finally {
    scalar.fill(0);
  }
}

/** First byte of an uncompressed point (SEC 1 section 2.3.3). */
const UNCOMPRESSED_POINT = 0x04;

interface KeyPair {
  readonly key: CryptoKey;
  readonly publicKey: PublicKey;
  /** True if the public key was computed from the private key, not read from the file. */
  readonly isDerived: boolean;
}

/**
 * Imports a private key with the public key of its file. Returns undefined if that fails: {@link derivePair}
 * finds the reason. It needs no module of Node, which Deno 2.9 takes 20 ms to load.
 */
async function importPair(
  scalar: Uint8Array,
  curve: Curve,
  point: Uint8Array,
): Promise<KeyPair | undefined> {
  try {
    const publicKey = ecPublicKey(encodeObjectIdentifier(curve.oid), point);
    return { key: await importPrivateKey(scalar, curve, point), publicKey, isDerived: false };
  } catch {
    return undefined;
  }
}

/** Returns a function that signs. It verifies the first signature if the file's public key may be wrong. */
function signerOf({ key, publicKey, isDerived }: KeyPair): PrivateKey["sign"] {
  let isKnownToMatch = isDerived;
  return async (message, digest) => {
    if (isKnownToMatch) return await sign(key, message, digest);
    const signing = sign(key, message, digest);
    const verifying = verifySignature(publicKey, message, digest, signing);
    const [signature, isRight] = await Promise.all([signing, verifying]).catch((cause) => {
      throw mismatch({ cause });
    });
    if (!isRight) throw mismatch();
    isKnownToMatch = true;
    return signature;
  };
}

function mismatch(options?: ErrorOptions): DerError {
  return new DerError("a public key that does not match the private key", options);
}

async function derivePair(scalar: Uint8Array, curve: Curve): Promise<KeyPair> {
  const publicKey = derivePublicKey(scalar, curve);
  const key = await importPrivateKey(scalar, curve, publicKey.bits);
  return { key, publicKey, isDerived: true };
}

async function importPrivateKey(
  scalar: Uint8Array,
  curve: Curve,
  point: Uint8Array,
): Promise<CryptoKey> {
  const pkcs8 = encodePkcs8(scalar, curve, point);
  const algorithm = { name: "ECDSA", namedCurve: curve.name };
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
  } finally {
    pkcs8.fill(0);
  }
}

async function sign(
  key: CryptoKey,
  message: Uint8Array,
  digest: Digest,
): Promise<Uint8Array> {
  const algorithm = { name: "ECDSA", hash: digest };
  return ecdsaSignatureToDer(
    new Uint8Array(await crypto.subtle.sign(algorithm, key, Uint8Array.from(message))),
  );
}

function namedCurve(parameters: Uint8Array | undefined): Curve {
  const reader = new DerReader(parameters ?? new Uint8Array(0));
  if (reader.peekTag() === TAG.sequence) {
    throw new KeyTypeError(
      "EC keys with explicit curve parameters cannot be used; convert the key with: " +
        "openssl ec -param_enc named_curve",
    );
  }
  const curve = curveOf(reader.objectIdentifier());
  reader.end();
  return curve;
}

function readEcPrivateKey(
  info: PrivateKeyInfo,
  curve: Curve,
): { scalar: Uint8Array<ArrayBuffer>; publicKeys: Uint8Array[] } {
  const key = readSequence(info.privateKey);
  if (key.smallInteger() !== 1) throw new DerError("an EC private key of unknown version");
  const written = unsigned(key.octetString());
  const parameters = key.optional(contextTag(0, true));
  if (parameters && namedCurve(parameters.contents) !== curve) {
    throw new DerError("an EC key that names two curves");
  }
  const point = key.optional(contextTag(1, true));
  key.end();
  if (written.length > curve.coordinateBytes) {
    throw new DerError("an EC private key that is longer than its curve");
  }
  // Some writers leave out leading zero bytes.
  const scalar = new Uint8Array(curve.coordinateBytes);
  scalar.set(written, scalar.length - written.length);
  const publicKeys = point ? [new DerReader(point.contents).bitString()] : [];
  if (info.publicKey) publicKeys.push(info.publicKey);
  return { scalar, publicKeys };
}

function derivePublicKey(scalar: Uint8Array, curve: Curve): PublicKey {
  const pkcs8 = encodePkcs8(scalar, curve);
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8.buffer), format: "der", type: "pkcs8" });
    const encoded = createPublicKey(key).export({ format: "der", type: "spki" });
    return parsePublicKey(Uint8Array.from(encoded));
  } catch (cause) {
    throw new DerError("an EC private key that is not a number of its curve", { cause });
  } finally {
    pkcs8.fill(0);
  }
}

/** Encodes PKCS#8 with the public key, which WebCrypto requires. The caller wipes it. */
function encodePkcs8(
  scalar: Uint8Array,
  curve: Curve,
  point?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const publicKey = point
    ? [encodeElement(contextTag(1, true), encodeElement(TAG.bitString, new Uint8Array(1), point))]
    : [];
  const ecPrivateKey = encodeSequence(
    encodeUnsignedInteger(Uint8Array.of(1)),
    encodeElement(TAG.octetString, scalar),
    ...publicKey,
  );
  const pkcs8 = encodeSequence(
    encodeUnsignedInteger(Uint8Array.of(0)),
    encodeSequence(
      encodeObjectIdentifier("1.2.840.10045.2.1"),
      encodeObjectIdentifier(curve.oid),
    ),
    encodeElement(TAG.octetString, ecPrivateKey),
  );
  ecPrivateKey.fill(0);
  return pkcs8;
}

/** Compares a point, compressed or not (SEC 1 section 2.3.3), with an uncompressed point. */
function isSamePoint(written: Uint8Array, point: Uint8Array): boolean {
  if (written[0] !== 0x02 && written[0] !== 0x03) return sameBytes(written, point);
  const x = point.subarray(1, 1 + (point.length - 1) / 2);
  return written[0] === (0x02 | ((point.at(-1) ?? 0) & 1)) && sameBytes(written.subarray(1), x);
}
