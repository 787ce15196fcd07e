/**
 * PKCS#12 files (RFC 7292; RFC 9579 for PBMAC1): checking the MAC and taking out keys and
 * certificates. Old and modern files differ in the algorithms alone, which `encryption.ts` knows.
 *
 * @module
 */
import { readSequence } from "../../src/x509/der.ts";
import { type Block, derOf, octetsOf, parseBer } from "./ber.ts";
import { decrypt, decryptPkcs8 } from "./encryption.ts";
import { UnsupportedFormatError, WrongPassphraseError } from "./failures.ts";
import type { Passphrase } from "./passphrase.ts";
import { isAuthentic } from "./pkcs12_mac.ts";
import {
  type Bag,
  type Libraries,
  loadLibraries,
  readAuthenticatedSafe,
  readBags,
  readCertificateBag,
  readEncryptedData,
  readPfx,
} from "./pkcs12_structure.ts";

/** A key or certificate out of a PKCS#12 file, DER in memory of its own. */
export interface Pkcs12Item {
  readonly der: Uint8Array<ArrayBuffer>;
  /** The attribute that ties a key to its certificate. */
  readonly localKeyId?: Uint8Array;
}

/** What a PKCS#12 file holds: PKCS#8 keys, no longer encrypted, and certificates, in their order. */
export interface Pkcs12Contents {
  readonly keys: Pkcs12Item[];
  readonly certificates: Pkcs12Item[];
}

const BAG = {
  key: "1.2.840.113549.1.12.10.1.1",
  shroudedKey: "1.2.840.113549.1.12.10.1.2",
  certificate: "1.2.840.113549.1.12.10.1.3",
  safeContents: "1.2.840.113549.1.12.10.1.6",
} as const;

/**
 * Reads a PKCS#12 file, DER or BER.
 *
 * Throws `WrongPassphraseError` when the MAC or a padding says that the passphrase does not fit,
 * `DerError` when the file is malformed, {@link UnsupportedFormatError} for algorithms that are not
 * known.
 */
export async function readPkcs12(
  bytes: Uint8Array,
  passphrase: Passphrase,
): Promise<Pkcs12Contents> {
  const libraries = await loadLibraries();
  const { authSafe, macData } = readPfx(libraries, Uint8Array.from(bytes));
  if (authSafe.contentType !== libraries.pkijs.ContentInfo.DATA) {
    throw new UnsupportedFormatError(
      "PKCS#12 files that are signed with a certificate cannot be used; export it with a password",
    );
  }
  const authenticated = octetsOf(libraries.asn1js, authSafe.content);
  if (macData && !await isAuthentic(macData, authenticated, passphrase)) {
    throw new WrongPassphraseError("the MAC differs");
  }
  const contents: Pkcs12Contents = { keys: [], certificates: [] };
  for (const { contentType, content } of readAuthenticatedSafe(libraries, authenticated)) {
    const safe = await openSafe(libraries, contentType, content, passphrase);
    await takeItems(libraries, safe, passphrase, contents);
  }
  return contents;
}

/** The SafeContents of one element of AuthenticatedSafe. */
async function openSafe(
  libraries: Libraries,
  contentType: string,
  content: unknown,
  passphrase: Passphrase,
): Promise<Block> {
  const { asn1js, pkijs } = libraries;
  const { DATA, ENCRYPTED_DATA, ENVELOPED_DATA } = pkijs.ContentInfo;
  if (contentType === DATA) return parseBer(asn1js, octetsOf(asn1js, content));
  if (contentType !== ENCRYPTED_DATA) {
    throw new UnsupportedFormatError(
      contentType === ENVELOPED_DATA
        ? "PKCS#12 files encrypted for a certificate cannot be used; export it with a password"
        : `PKCS#12 content of type ${contentType} cannot be used`,
    );
  }
  const { algorithm, ciphertext } = readEncryptedData(libraries, content);
  const plaintext = await decrypt(readSequence(algorithm), ciphertext, passphrase);
  try {
    const safe = parseBer(asn1js, plaintext);
    if (safe instanceof asn1js.Sequence && safe.blockLength === plaintext.length) return safe;
  } catch (cause) {
    throw new WrongPassphraseError("what was decrypted is not BER", { cause });
  }
  throw new WrongPassphraseError("what was decrypted is no SafeContents");
}

async function takeItems(
  libraries: Libraries,
  safeContents: Block,
  passphrase: Passphrase,
  contents: Pkcs12Contents,
): Promise<void> {
  for (const bag of readBags(libraries, safeContents)) {
    if (bag.type === BAG.safeContents) {
      await takeItems(libraries, bag.value, passphrase, contents);
    } else if (bag.type === BAG.certificate) {
      const der = readCertificateBag(libraries, bag.value);
      if (der) contents.certificates.push(itemOf(der, bag));
    } else if (bag.type === BAG.key) {
      contents.keys.push(itemOf(derOf(bag.value), bag));
    } else if (bag.type === BAG.shroudedKey) {
      contents.keys.push(itemOf(await decryptPkcs8(derOf(bag.value), passphrase), bag));
    }
  }
}

function itemOf(der: Uint8Array<ArrayBuffer>, { localKeyId }: Bag): Pkcs12Item {
  return localKeyId ? { der, localKeyId } : { der };
}
