/**
 * The `handle:` keystore: RSA and EC keys in a TPM 2.0, by handle or in `TSS2 PRIVATE KEY` files.
 * It uses the TPM2 Software Stack (tpm2-tss).
 *
 * A handle is written `handle:0x81000001`. It names only the key; the certificate comes from
 * another source. Keys in files come from the `file:` keystore. Between two signatures nothing is
 * loaded in the TPM, and the connection is closed.
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
import { withErrorMessages } from "./keys/errors.ts";
import { toTpmKey } from "./keys/tss2_key_file.ts";
import { findKey } from "./keys/handle_key.ts";
import type { TpmKey } from "./keys/key.ts";
import { decodePublicKey, isSealedData } from "./structures/public_area.ts";
import { createSigner, unseal } from "./keys/signer.ts";
import type { TpmAccess } from "./keys/transaction.ts";
import { parseTss2Key, type Tss2Key } from "./keys/tss2_key.ts";
import { runExclusive } from "./keys/with_tpm.ts";

/** The keystore to use instead, on systems without TPM support here. */
const ALTERNATIVES: Readonly<Record<string, string>> = {
  windows: "on Windows, TPM keys are in the certificate store; use --cert-selector or a cng: URI",
  darwin: "Macs have no TPM; use a key in the keychain, with --cert-selector or a keychain: URI",
};

const LIBRARY: NativeLibrary = {
  title: "the TPM library",
  name: "libtss2-esys.so.0",
  advice: "install tpm2-tss (Debian: libtss2-esys-3.0.2-0 and libtss2-tctildr0)",
};

/** Returns the keystore for an operating system, by `Deno.build.os`. */
export function createKeystore(os: string): Keystore {
  const alternative = ALTERNATIVES[os];
  if (alternative === undefined) return { library: LIBRARY, openKey, readCertificates };
  const refuse = ({ displayName: label }: KeystoreUri): Promise<never> =>
    Promise.reject(new HelperError("keystore-unavailable", `${label}: ${alternative}`));
  return { openKey: refuse, readCertificates: refuse };
}

/** The keystore for this operating system. */
export const keystore: Keystore = createKeystore(Deno.build.os);

async function openKey(
  uri: KeystoreUri,
  context: KeystoreContext,
  certificate?: Certificate,
): Promise<Signer | SoftwareKey> {
  const access: TpmAccess = { context, label: uri.displayName };
  return await withErrorMessages(uri.displayName, async () => {
    const found = uri.attributes.get(TSS2_KEYS);
    if (!found) return createSigner(await runExclusive(() => findKey(uri.path, access)), access);
    const file = chooseKey(readKeys(found), uri.displayName, certificate);
    const key = toTpmKey(file, uri.displayName);
    context.debug(`tpm: ${file.kind} key${file.description ? `, "${file.description}"` : ""}`);
    // Some programs write sealed data with the type of a loadable key.
    return file.kind === "sealed" || isSealedData(key.publicArea)
      ? await unseal(key, access)
      : createSigner(key, access);
  });
}

function readCertificates({ displayName: label }: KeystoreUri): Promise<never> {
  return Promise.reject(
    new HelperError(
      "certificate-format",
      `${label}: a TPM handle has no certificate; name the certificate's file with --certificate, ` +
        "and the handle with --private-key",
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

/** Returns the only key, or the key that matches `certificate`. */
function chooseKey(
  keys: readonly Tss2Key[],
  label: string,
  certificate: Certificate | undefined,
): Tss2Key {
  const [only] = keys;
  if (only && keys.length === 1) return only;
  const matching = keys.filter((file) =>
    certificate && matchesCertificate(toTpmKey(file, label), certificate)
  );
  if (matching.length === 1 && matching[0]) return matching[0];
  throw new HelperError(
    "key-format",
    `${label}: the file holds ${keys.length} TPM keys; name the certificate of one with ` +
      "--certificate, or keep one key in the file",
  );
}

function matchesCertificate({ publicArea }: TpmKey, certificate: Certificate): boolean {
  try {
    return hasPublicKey(certificate, decodePublicKey(publicArea));
  } catch (thrown) {
    if (thrown instanceof KeyTypeError) return false;
    throw thrown;
  }
}
