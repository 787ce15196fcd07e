/**
 * The `file:` keystore: private keys and certificates in PEM, DER and PKCS#12 files.
 *
 * Reads RSA, EC and ML-DSA keys in PKCS#8, plain or encrypted with PBES2, PBES1 or a PKCS#12
 * scheme. Reads also PKCS#1 and SEC1 (plain or `Proc-Type: 4,ENCRYPTED`), and PKCS#12 old and
 * modern. A `TSS2 PRIVATE KEY` belongs to the `handle:` keystore.
 *
 * The plain PEM path loads no npm package; pkijs (PKCS#12), node-forge (RC2) and ML-DSA
 * are loaded when needed.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import type {
  BundleReader,
  KeyReference,
  Keystore,
  KeystoreContext,
  Signer,
  SoftwareKeyOpener,
} from "../../src/keystore/types.ts";
import { type KeystoreUri, TSS2_KEYS } from "../../src/keystore/uri.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { hasPublicKey, type NonEmpty } from "../../src/x509/chain.ts";
import { DerError } from "../../src/x509/der.ts";
import { sameBytes } from "../../src/x509/public_key.ts";
import { chooseKey, type OpenKey } from "./choose_key.ts";
import {
  describeInstead,
  type FileContents,
  holdsCertificates,
  readContents,
  type StoredKey,
} from "./containers.ts";
import { CONVERSIONS, withConversion, withDecoding, withErrorMessages } from "./errors.ts";
import type { HashIterator, IterateHash } from "./hash_iterations.ts";
import type { Pkcs12Contents } from "./pkcs12.ts";
import { openPrivateKey, readPrivateKey } from "./private_key.ts";
import type { PrivateKey } from "./private_key_info.ts";
import { readAll, readKeyFile } from "./read_file.ts";
import { openOnce, wipeKeys } from "./remembered.ts";
import { type Attempt, PassphrasePrompt } from "./passphrase_prompt.ts";
import { concatenate } from "../../src/bytes.ts";

/** Keystore of files. */
export const keystore: Keystore & SoftwareKeyOpener & BundleReader = {
  openKey,
  readCertificates,
  readBundle,
  openSoftwareKey,
};

async function openKey(
  uri: KeystoreUri,
  context: KeystoreContext,
  certificate?: Certificate,
): Promise<Signer | KeyReference> {
  const bytes = await readKeyFile(uri, context);
  try {
    return await withErrorMessages(uri.displayName, "key", async () => {
      const contents = readContents(bytes);
      return await withDecoding(
        contents.isDecoded,
        () => openKeyIn(contents, uri, context, certificate),
      );
    });
  } finally {
    bytes.fill(0);
  }
}

async function openKeyIn(
  contents: FileContents,
  uri: KeystoreUri,
  context: KeystoreContext,
  certificate: Certificate | undefined,
): Promise<Signer | KeyReference> {
  const prompt = new PassphrasePrompt(context, uri.displayName);
  if (contents.pkcs12) {
    const pkcs12 = await openPkcs12(contents.pkcs12, uri, prompt, context);
    return await openKeyOfPkcs12(pkcs12, uri.displayName, certificate);
  }
  const certificates = parseCertificates(contents.certificates, uri.displayName);
  const stored = sortPlainFirst(contents.keys);
  const keys = stored.map((key) => () => openStoredKey(key, prompt, context));
  const inTpm = contents.keys.filter((key) => key.form === "tss2");
  if (keys.length === 0 && inTpm.length === 0 && contents.refusal) throw contents.refusal;
  if (keys.length === 0 && inTpm.length > 0) return tpmKeyReference(uri, inTpm, certificates);
  if (keys.length === 0) {
    throw keyNotFoundError(uri.displayName, describeInstead(contents, "private key"));
  }
  const key = await openOneOf(keys, certificates, certificate, uri.displayName, inTpm.length > 0);
  return key
    ? createSigner(key, certificates, uri.displayName)
    : tpmKeyReference(uri, inTpm, certificates);
}

async function openSoftwareKey(
  contents: Uint8Array<ArrayBuffer>,
  displayName: string,
  context: KeystoreContext,
): Promise<Signer> {
  try {
    const signer = await withStoredKeyMessages(displayName, async () => {
      const { keys } = readContents(contents);
      const [only] = sortPlainFirst(keys);
      if (!only || keys.length > 1) throw new DerError("not exactly one private key");
      return createSigner(
        await openStoredKey(only, new PassphrasePrompt(context, displayName), context),
        [],
        displayName,
      );
    });
    return {
      ...signer,
      sign: (message, digest) =>
        withStoredKeyMessages(displayName, () => signer.sign(message, digest)),
    };
  } finally {
    contents.fill(0);
  }
}

/** Replaces messages for files, which would name something that the user cannot see. */
async function withStoredKeyMessages<T>(displayName: string, work: () => Promise<T>): Promise<T> {
  try {
    return await withErrorMessages(displayName, "key", work);
  } catch (cause) {
    if (!(cause instanceof HelperError) || cause.code !== "key-format") throw cause;
    throw new HelperError(
      "key-format",
      `${displayName}: the content is not one private key in DER or PEM (PKCS#8, PKCS#1 or SEC1); ` +
        "store the key there again",
      { cause },
    );
  }
}

async function readCertificates(
  uri: KeystoreUri,
  context: KeystoreContext,
): Promise<NonEmpty<Certificate>> {
  const bytes = await readKeyFile(uri, context);
  try {
    return await parseCertificatesIn(bytes, uri, context);
  } finally {
    bytes.fill(0);
  }
}

async function parseCertificatesIn(
  bytes: Uint8Array,
  uri: KeystoreUri,
  context: KeystoreContext,
): Promise<NonEmpty<Certificate>> {
  return await withErrorMessages(uri.displayName, "certificate", async () => {
    const contents = readContents(bytes);
    return await withDecoding(contents.isDecoded, async () => {
      const encoded = await encodedCertificates(contents, uri, context);
      const [first, ...rest] = parseCertificates(encoded, uri.displayName);
      if (first) return [first, ...rest];
      throw contents.refusal ?? new HelperError(
        "certificate-format",
        `${uri.displayName} holds ${
          describeInstead(contents, "certificate")
        }; name the file that does`,
      );
    });
  });
}

/** Reads PEM or DER certificates; a file without any, empty or not, returns none. */
async function readBundle(
  uri: KeystoreUri,
  context: KeystoreContext,
): Promise<readonly Certificate[]> {
  const bytes = await readAll(uri, context);
  try {
    if (!holdsCertificates(bytes)) return [];
    return await parseCertificatesIn(bytes, uri, context);
  } finally {
    bytes.fill(0);
  }
}

async function encodedCertificates(
  { certificates, pkcs12 }: FileContents,
  uri: KeystoreUri,
  context: KeystoreContext,
): Promise<readonly Uint8Array[]> {
  if (!pkcs12) return certificates;
  const opened = await openPkcs12(
    pkcs12,
    uri,
    new PassphrasePrompt(context, uri.displayName),
    context,
  );
  wipeKeys(opened);
  return sortByKeyId(opened).map((item) => item.der);
}

function parseCertificates(encoded: readonly Uint8Array[], displayName: string): Certificate[] {
  return encoded.map((der, i) => {
    try {
      return parseCertificate(der);
    } catch (cause) {
      if (!(cause instanceof DerError)) throw cause;
      throw new HelperError(
        "certificate-format",
        `certificate ${
          i + 1
        } in ${displayName} is malformed or damaged (${cause.message}); export it again`,
        { cause },
      );
    }
  });
}

type SoftwareStoredKey = Exclude<StoredKey, { form: "tss2" }>;
type Tss2StoredKey = Extract<StoredKey, { form: "tss2" }>;

/** Returns the keys of this keystore, those without a passphrase first. */
function sortPlainFirst(keys: readonly StoredKey[]): SoftwareStoredKey[] {
  const software = keys.filter((key): key is SoftwareStoredKey => key.form !== "tss2");
  return [
    ...software.filter((key) => key.form === "plain"),
    ...software.filter((key) => key.form !== "plain"),
  ];
}

async function openStoredKey(
  key: SoftwareStoredKey,
  prompt: PassphrasePrompt,
  context: KeystoreContext,
): Promise<PrivateKey> {
  if (key.form === "plain") return await openAndWipe(key.der, key.ecParameters);
  using iterator = await createHashIterator(context);
  const plain = await prompt.unlock(await loadDecryptor(key, iterator.iterate));
  return await openAndWipe(plain, key.form === "proc-type" ? key.ecParameters : undefined);
}

/** Loads the function that decrypts a key. */
async function loadDecryptor(
  key: Exclude<SoftwareStoredKey, { form: "plain" }>,
  iterate: IterateHash,
): Promise<Attempt<Uint8Array>> {
  if (key.form === "proc-type") {
    const { decryptProcType } = await import("./traditional_pem.ts");
    return (passphrase) =>
      withConversion(CONVERSIONS.pkcs8, () => decryptProcType(key.block, passphrase));
  }
  const { decryptPkcs8 } = await import("./encryption.ts");
  return (passphrase) =>
    withConversion(CONVERSIONS.pkcs8, () => decryptPkcs8(key.der, passphrase, iterate));
}

/** Creates an iterator with a worker for a long-running command, which must not block. */
async function createHashIterator(context: KeystoreContext): Promise<HashIterator> {
  const { localHashIterator, HashThread } = await import("./hash_iterations.ts");
  return context.lifetime ? new HashThread() : localHashIterator;
}

async function openAndWipe(der: Uint8Array, ecParameters?: Uint8Array): Promise<PrivateKey> {
  try {
    return await openPrivateKey(readPrivateKey(der, ecParameters));
  } finally {
    der.fill(0);
  }
}

/** Returns the error for a file without a private key. `holds` is the end of "it holds". */
function keyNotFoundError(displayName: string, holds: string): HelperError {
  return new HelperError(
    "key-not-found",
    `${displayName} holds ${holds}; name the file that does with --private-key`,
  );
}

/** Opens the selected key of at least one. Returns undefined if it is in the TPM, which only `inTpm` allows. */
async function openOneOf(
  keys: readonly OpenKey[],
  certificates: readonly Certificate[],
  certificate: Certificate | undefined,
  displayName: string,
  inTpm = false,
): Promise<PrivateKey | undefined> {
  const key = await chooseKey(keys, certificates, certificate);
  if (inTpm) {
    const owners = certificate ? [certificate] : certificates;
    if (key && owners.some((owner) => hasPublicKey(owner, key.publicKey))) return key;
    await key?.[Symbol.asyncDispose]();
    return undefined;
  }
  if (key) return key;
  throw certificate
    ? new HelperError(
      "key-mismatch",
      `none of the ${keys.length} private keys in ${displayName} belongs to the certificate; ` +
        "check that --certificate and --private-key name a pair",
    )
    : new HelperError(
      "key-format",
      `${displayName} holds ${keys.length} private keys and none is selected; ` +
        "name the certificate with --certificate, or leave one key in the file",
    );
}

async function openPkcs12(
  bytes: Uint8Array,
  uri: KeystoreUri,
  prompt: PassphrasePrompt,
  context: KeystoreContext,
): Promise<Pkcs12Contents> {
  const { readPkcs12 } = await import("./pkcs12.ts");
  const open = async () => {
    using iterator = await createHashIterator(context);
    return await prompt.unlock((passphrase) => readPkcs12(bytes, passphrase, iterator.iterate), {
      emptyFirst: true,
    });
  };
  if (!context.lifetime) return await open();
  return await openOnce(context.lifetime, uri.path || uri.displayName, bytes, open);
}

async function openKeyOfPkcs12(
  pkcs12: Pkcs12Contents,
  displayName: string,
  certificate: Certificate | undefined,
): Promise<Signer> {
  try {
    const ordered = sortByKeyId(pkcs12).map((item) => item.der);
    const certificates = parseCertificates(ordered, displayName);
    const keys = pkcs12.keys.map((item) => async () => {
      if ("refusal" in item) throw item.refusal;
      return await openPrivateKey(readPrivateKey(item.der));
    });
    if (keys.length === 0) {
      const contents = { certificates: ordered, keys: [] };
      throw keyNotFoundError(displayName, describeInstead(contents, "private key"));
    }
    const key = await openOneOf(keys, certificates, certificate, displayName);
    if (!key) throw new DerError("no private key in it");
    const isOfKey = (certificate: Certificate) => hasPublicKey(certificate, key.publicKey);
    const others = certificates.filter((certificate) => !isOfKey(certificate));
    return createSigner(key, [...certificates.filter(isOfKey), ...others], displayName);
  } finally {
    wipeKeys(pkcs12);
  }
}

/** Returns the certificates, those with the localKeyId of a key first. */
function sortByKeyId({ keys, certificates }: Pkcs12Contents): Pkcs12Contents["certificates"] {
  const hasKey = ({ localKeyId }: { localKeyId?: Uint8Array }) =>
    localKeyId !== undefined &&
    keys.some((key) => key.localKeyId && sameBytes(key.localKeyId, localKeyId));
  return [
    ...certificates.filter((item) => hasKey(item)),
    ...certificates.filter((item) => !hasKey(item)),
  ];
}

function createSigner(
  key: PrivateKey,
  certificates: readonly Certificate[],
  displayName: string,
): Signer {
  return {
    publicKey: key.publicKey,
    inMemory: true,
    certificates,
    sign: (message, digest) =>
      withErrorMessages(displayName, "key", () => key.sign(message, digest)),
    [Symbol.asyncDispose]: () => key[Symbol.asyncDispose](),
  };
}

function tpmKeyReference(
  uri: KeystoreUri,
  keys: readonly Tss2StoredKey[],
  certificates: readonly Certificate[],
): KeyReference {
  return {
    target: {
      scheme: "handle",
      displayName: uri.displayName,
      path: "",
      attributes: new Map([[TSS2_KEYS, concatenate(keys.map(({ der }) => der))]]),
      query: new Map(),
    },
    certificates,
  };
}
