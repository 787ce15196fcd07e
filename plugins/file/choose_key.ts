/**
 * Selects one of the private keys in a file.
 *
 * @module
 */
import type { Certificate } from "../../src/x509/certificate.ts";
import { hasPublicKey } from "../../src/x509/chain.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { samePublicKey } from "../../src/x509/public_key.ts";
import { UnsupportedFormatError } from "./errors.ts";
import type { PrivateKey } from "./private_key_info.ts";

/** Function that opens one of the keys in a file. */
export type OpenKey = () => Promise<PrivateKey>;

/**
 * Opens the selected key. That is the only key, otherwise the key of `certificate`. Otherwise it is
 * the only key that belongs to one of `certificates`. Closes the others. Pass keys without a
 * passphrase first: opening stops when the key of `certificate` is found.
 *
 * Returns undefined if there are several keys and none is selected. Throws the errors of opening.
 * Skips a key that cannot be used if there are others.
 */
export async function chooseKey(
  keys: readonly OpenKey[],
  certificates: readonly Certificate[],
  certificate: Certificate | undefined,
): Promise<PrivateKey | undefined> {
  const [only] = keys;
  if (only && keys.length === 1) return await only();

  const opened: PrivateKey[] = [];
  let chosen: PrivateKey | undefined;
  try {
    let refusal: Unusable | undefined;
    for (const open of keys) {
      const key = await openUnlessUnusable(open);
      if (isUnusable(key)) {
        refusal ??= key;
        continue;
      }
      opened.push(key);
      if (certificate && hasPublicKey(certificate, key.publicKey)) return chosen = key;
    }
    if (opened.length === 0 && refusal) throw refusal;
    return chosen = findOnlyMatch(opened, certificates);
  } finally {
    for (const key of opened) if (key !== chosen) await key[Symbol.asyncDispose]();
  }
}

type Unusable = KeyTypeError | UnsupportedFormatError;

function isUnusable(value: unknown): value is Unusable {
  return value instanceof KeyTypeError || value instanceof UnsupportedFormatError;
}

async function openUnlessUnusable(open: OpenKey): Promise<PrivateKey | Unusable> {
  try {
    return await open();
  } catch (thrown) {
    if (isUnusable(thrown)) return thrown;
    throw thrown;
  }
}

function findOnlyMatch(
  opened: readonly PrivateKey[],
  certificates: readonly Certificate[],
): PrivateKey | undefined {
  const different = opened.filter((key, i) =>
    !opened.slice(0, i).some((earlier) => samePublicKey(earlier.publicKey, key.publicKey))
  );
  if (different.length <= 1) return different[0];
  const belonging = different.filter((key) =>
    certificates.some((certificate) => hasPublicKey(certificate, key.publicKey))
  );
  return belonging.length === 1 ? belonging[0] : undefined;
}
