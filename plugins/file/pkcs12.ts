/**
 * PKCS#12 files (RFC 7292; RFC 9579 for PBMAC1): checks the MAC and reads keys and certificates.
 * Old and modern files differ only in their algorithms, which `encryption.ts` implements.
 *
 * @module
 */
import { readSequence } from "../../src/x509/der.ts";
import { type Block, encodeDer, parseBer, readOctetString } from "./ber.ts";
import { decrypt, decryptPkcs8 } from "./encryption.ts";
import {
  CONVERSIONS,
  UnsupportedFormatError,
  withConversion,
  WrongPassphraseError,
} from "./errors.ts";
import type { IterateHash } from "./hash_iterations.ts";
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

/** Key or certificate of a PKCS#12 file. The DER is a copy. */
export interface Pkcs12Item {
  readonly der: Uint8Array<ArrayBuffer>;
  /** Attribute with the same value in a key and its certificate. */
  readonly localKeyId?: Uint8Array;
}

/** Key that cannot be opened, with the reason. */
export interface RefusedKey {
  readonly refusal: UnsupportedFormatError;
  readonly localKeyId?: Uint8Array;
}

/** Contents of a PKCS#12 file: decrypted PKCS#8 keys, and certificates, in their order. */
export interface Pkcs12Contents {
  readonly keys: (Pkcs12Item | RefusedKey)[];
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
 * Throws `WrongPassphraseError` if the MAC or a padding does not match the passphrase. Throws
 * `DerError` if the file is malformed, and {@link UnsupportedFormatError} for unknown algorithms.
 * Reads the rest if a key cannot be opened.
 */
export function readPkcs12(
  bytes: Uint8Array,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<Pkcs12Contents> {
  return withConversion(CONVERSIONS.pkcs12, () => readSafes(bytes, passphrase, iterate));
}

async function readSafes(
  bytes: Uint8Array,
  passphrase: Passphrase,
  iterate: IterateHash,
): Promise<Pkcs12Contents> {
  const libraries = await loadLibraries();
  const { authSafe, macData } = readPfx(libraries, Uint8Array.from(bytes));
  if (authSafe.contentType !== libraries.pkijs.ContentInfo.DATA) {
    throw new UnsupportedFormatError(
      "PKCS#12 files that are signed with a certificate cannot be used; export it with a password",
    );
  }
  const authenticated = readOctetString(libraries.asn1js, authSafe.content);
  if (macData && !await isAuthentic(macData, authenticated, passphrase, iterate)) {
    throw new WrongPassphraseError("the MAC differs");
  }
  const reader = new SafeReader(libraries, passphrase, iterate, macData !== undefined);
  for (const { contentType, content } of readAuthenticatedSafe(libraries, authenticated)) {
    await reader.read(contentType, content);
  }
  return reader.contents;
}

/** Reader of the safes of one file. */
class SafeReader {
  readonly contents: Pkcs12Contents = { keys: [], certificates: [] };

  /** @param isVerified true if the passphrase is known to be right */
  constructor(
    private readonly libraries: Libraries,
    private readonly passphrase: Passphrase,
    private readonly iterate: IterateHash,
    private isVerified: boolean,
  ) {}

  /** Reads one element of AuthenticatedSafe. */
  async read(contentType: string, content: unknown): Promise<void> {
    await this.#takeItems(await this.#openSafe(contentType, content));
  }

  async #openSafe(contentType: string, content: unknown): Promise<Block> {
    const { asn1js, pkijs } = this.libraries;
    const { DATA, ENCRYPTED_DATA, ENVELOPED_DATA } = pkijs.ContentInfo;
    if (contentType === DATA) return parseBer(asn1js, readOctetString(asn1js, content));
    if (contentType !== ENCRYPTED_DATA) {
      throw new UnsupportedFormatError(
        contentType === ENVELOPED_DATA
          ? "PKCS#12 files encrypted for a certificate cannot be used; export it with a password"
          : `PKCS#12 content of type ${contentType} cannot be used`,
      );
    }
    const { algorithm, ciphertext } = readEncryptedData(this.libraries, content);
    const plaintext = await decrypt(
      readSequence(algorithm),
      ciphertext,
      this.passphrase,
      this.iterate,
    );
    try {
      const safe = parseBer(asn1js, plaintext);
      if (safe instanceof asn1js.Sequence && safe.blockLength === plaintext.length) {
        this.isVerified = true;
        return safe;
      }
    } catch (cause) {
      throw new WrongPassphraseError("the plaintext is not BER", { cause });
    }
    throw new WrongPassphraseError("the plaintext is not a SafeContents");
  }

  async #takeItems(safeContents: Block): Promise<void> {
    const { keys, certificates } = this.contents;
    for (const bag of readBags(this.libraries, safeContents)) {
      if (bag.type === BAG.safeContents) {
        await this.#takeItems(bag.value);
      } else if (bag.type === BAG.certificate) {
        const der = readCertificateBag(this.libraries, bag.value);
        if (der) certificates.push({ der, ...pickLocalKeyId(bag) });
      } else if (bag.type === BAG.key) {
        keys.push({ der: encodeDer(bag.value), ...pickLocalKeyId(bag) });
      } else if (bag.type === BAG.shroudedKey) {
        keys.push({ ...await this.#decryptKey(encodeDer(bag.value)), ...pickLocalKeyId(bag) });
      }
    }
  }

  async #decryptKey(encrypted: Uint8Array): Promise<Pkcs12Item | RefusedKey> {
    try {
      const der = await withConversion(
        CONVERSIONS.pkcs12,
        () => decryptPkcs8(encrypted, this.passphrase, this.iterate),
      );
      return { der };
    } catch (thrown) {
      if (thrown instanceof UnsupportedFormatError) return { refusal: thrown };
      if (thrown instanceof WrongPassphraseError && this.isVerified) {
        return { refusal: new UnsupportedFormatError(OTHER_PASSWORD, { cause: thrown }) };
      }
      throw thrown;
    }
  }
}

// keytool prompts for the key's password only with the older store type, which it reads too.
const OTHER_PASSWORD = "its key has another password than the file; set one password with: " +
  "keytool -importkeystore -srckeystore FILE -srcstoretype JKS " +
  "-destkeystore NEW.p12 -deststoretype PKCS12";

function pickLocalKeyId({ localKeyId }: Bag): Pick<Pkcs12Item, "localKeyId"> {
  return localKeyId ? { localKeyId } : {};
}
