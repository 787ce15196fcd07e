/**
 * The `handle:` keystore: RSA and EC keys in a TPM 2.0, by handle or in `TSS2 PRIVATE KEY` files,
 * through the TPM2 Software Stack (tpm2-tss).
 *
 * A handle is written `handle:0x81000001`; it stands for the key alone, the certificate is
 * elsewhere. Keys in files come from the `file:` keystore. Nothing stays in the TPM between two
 * signatures, and no connection is kept.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import type {
  Keystore,
  KeystoreContext,
  NativeLibrary,
  Signer,
  SoftwareKey,
} from "../../src/keystore/types.ts";
import { type KeystoreUri, TSS2_KEYS } from "../../src/keystore/uri.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { hasPublicKey } from "../../src/x509/chain.ts";
import { DerReader } from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { explained } from "./keys/errors.ts";
import { keyOfFile } from "./keys/tss2_key_file.ts";
import { findKey } from "./keys/handle_key.ts";
import type { TpmKey } from "./keys/key.ts";
import { isSealedData, publicKeyOfArea } from "./structures/public_area.ts";
import { signerOf, unseal } from "./keys/signer.ts";
import type { TpmAccess } from "./keys/transaction.ts";
import { parseTss2Key, type Tss2Key } from "./keys/tss2_key.ts";
import { runExclusive } from "./keys/with_tpm.ts";

/** What keeps keys on systems whose TPM this plugin does not reach. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  windows: "on Windows, keys in the TPM are reached through the certificate store; use " +
    "--cert-selector or a cng: URI",
  darwin: "Macs have no TPM; keys that never leave the machine are reached through the keychain: " +
    "use --cert-selector or a keychain: URI",
};

const LIBRARY: NativeLibrary = {
  title: "the TPM library",
  name: "libtss2-esys.so.0",
  advice: "install tpm2-tss (Debian: libtss2-esys-3.0.2-0 and libtss2-tctildr0)",
};

/** The keystore for an operating system, by `Deno.build.os`. */
export function tpmKeystore(os: string): Keystore {
  const elsewhere = ELSEWHERE[os];
  if (elsewhere === undefined) return { library: LIBRARY, openKey, readCertificates };
  const refuse = ({ displayName: label }: KeystoreUri): Promise<never> =>
    Promise.reject(new HelperError("keystore-unavailable", `${label}: ${elsewhere}`));
  return { openKey: refuse, readCertificates: refuse };
}

/** The keystore of TPM keys. */
export const keystore: Keystore = tpmKeystore(Deno.build.os);

async function openKey(
  uri: KeystoreUri,
  context: KeystoreContext,
  certificate?: Certificate,
): Promise<Signer | SoftwareKey> {
  const access: TpmAccess = { context, label: uri.displayName };
  return await explained(uri.displayName, async () => {
    const found = uri.attributes.get(TSS2_KEYS);
    if (!found) return signerOf(await runExclusive(() => findKey(uri.path, access)), access);
    const file = chooseKey(readKeys(found), uri.displayName, certificate);
    const key = keyOfFile(file, uri.displayName);
    context.debug(`tpm: ${file.kind} key${file.description ? `, "${file.description}"` : ""}`);
    // Not every program that writes such files tells sealed data from keys.
    return file.kind === "sealed" || isSealedData(key.publicArea)
      ? await unseal(key, access)
      : signerOf(key, access);
  });
}

function readCertificates({ displayName: label }: KeystoreUri): Promise<never> {
  return Promise.reject(
    new HelperError(
      "certificate-format",
      `${label} names a key in the TPM, which holds no certificate; name the certificate's file ` +
        "with --certificate, and the handle with --private-key",
    ),
  );
}

function readKeys(concatenated: Uint8Array): Tss2Key[] {
  const keys: Tss2Key[] = [];
  for (const reader = new DerReader(concatenated); !reader.atEnd;) {
    keys.push(parseTss2Key(reader.next().encoded));
  }
  return keys;
}

/** The only key, or the one of `certificate`. */
function chooseKey(
  keys: readonly Tss2Key[],
  label: string,
  certificate: Certificate | undefined,
): Tss2Key {
  const [only] = keys;
  if (only && keys.length === 1) return only;
  const belonging = keys.filter((file) =>
    certificate && belongsTo(keyOfFile(file, label), certificate)
  );
  if (belonging.length === 1 && belonging[0]) return belonging[0];
  throw new HelperError(
    "key-format",
    `${label} holds ${keys.length} TPM keys and it cannot be told which is meant; name the ` +
      "certificate with --certificate or leave one key in the file",
  );
}

function belongsTo({ publicArea }: TpmKey, certificate: Certificate): boolean {
  try {
    return hasPublicKey(certificate, publicKeyOfArea(publicArea));
  } catch (thrown) {
    if (thrown instanceof KeyTypeError) return false;
    throw thrown;
  }
}
