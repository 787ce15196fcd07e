/**
 * PKCS#12 files (RFC 7292; RFC 9579 for PBMAC1): checking the MAC and taking out keys and
 * certificates. Old and modern files differ in the algorithms alone, which `encryption.ts` knows.
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

/** A key or certificate of a PKCS#12 file, DER in memory of its own. */
export interface Pkcs12Item {
  readonly der: Uint8Array<ArrayBuffer>;
  /** The attribute that ties a key to its certificate. */
  readonly localKeyId?: Uint8Array;
}

/** A key that cannot be opened, with the reason. */
export interface RefusedKey {
  readonly refusal: UnsupportedFormatError;
  readonly localKeyId?: Uint8Array;
}

/** What a PKCS#12 file holds: PKCS#8 keys, no longer encrypted, and certificates, in their order. */
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
 * Throws `WrongPassphraseError` when the MAC or a padding refutes the passphrase, `DerError` when
 * the file is malformed, {@link UnsupportedFormatError} for algorithms that are not known. A key
 * that cannot be opened does not keep the rest from being read.
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

/** Collects what the safes of one file hold. */
class SafeReader {
  readonly contents: Pkcs12Contents = { keys: [], certificates: [] };

  /** @param isVerified true when the passphrase is known to be the file's */
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
      throw new WrongPassphraseError("what was decrypted is not BER", { cause });
    }
    throw new WrongPassphraseError("what was decrypted is not a SafeContents");
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

// keytool asks for the key's password only if the file is named by the older type, which it reads too.
const OTHER_PASSWORD = "its key has another password than the file; give both one with: " +
  "keytool -importkeystore -srckeystore FILE -srcstoretype JKS " +
  "-destkeystore NEW.p12 -deststoretype PKCS12";

function pickLocalKeyId({ localKeyId }: Bag): Pick<Pkcs12Item, "localKeyId"> {
  return localKeyId ? { localKeyId } : {};
}
