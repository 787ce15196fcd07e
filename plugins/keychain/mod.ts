/**
 * The `keychain:` keystore: identities in the keychains of macOS, and on smart cards that its
 * Security framework supports.
 *
 * @module
 */
import { hasKeyOf, storeKeyOf, storeSigner } from "../../src/keystore/os_store/key.ts";
import { parseStoreUri } from "../../src/keystore/os_store/uri.ts";
import {
  chooseStored,
  listStored,
  selectStored,
} from "../../src/keystore/os_store/certificates.ts";
import type { CertificateLister, Keystore, KeystoreContext } from "../../src/keystore/types.ts";
import { unavailableKeystore } from "../../src/keystore/unavailable.ts";
import type { KeystoreUri } from "../../src/keystore/uri.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { issuersOf } from "./chain.ts";
import { type FrameworkPaths, Frameworks, SYSTEM_FRAMEWORKS } from "./frameworks.ts";
import { findIdentities, type StoredIdentity } from "./identities.ts";
import { PrivateKey } from "./private_key.ts";

/** Keystore of this machine. Throws on other systems. */
export const keystore: Keystore = Deno.build.os === "darwin"
  ? createKeystore(SYSTEM_FRAMEWORKS)
  : unavailableKeystore("keychain", "macOS");

/**
 * Makes the keystore with the frameworks at `paths`. Opens them at each use.
 *
 * URIs are `keychain:` and, between semicolons, percent-encoded, the keys of a selector:
 * `x509Subject`, `x509Issuer`, `x509Serial`, `x509Thumbprint`, `x509San`, as in
 * `keychain:x509Subject=CN%3Dhost,O%3DExample;x509Serial=0A0B`. `keychain:` without keys matches
 * every identity in the keychains of the search list.
 */
export function createKeystore(paths: FrameworkPaths): Keystore & CertificateLister {
  return {
    library: {
      title: "the Security framework",
      name: SYSTEM_FRAMEWORKS.security,
      advice: "this system has no Keychain",
    },
    async openKey(uri, context, wanted) {
      using owned = new DisposableStack();
      const { frameworks, stored } = await open(uri, paths, context, owned, wanted);
      const publicKey = storeKeyOf(stored.certificate, uri);
      const issuers = issuersOf(frameworks, stored, context.debug);
      const use = { frameworks, publicKey, displayName: uri.displayName, context };
      const key = await PrivateKey.open(stored, use, owned);
      return storeSigner({
        key,
        publicKey,
        certificates: [stored.certificate, ...issuers],
        displayName: uri.displayName,
        resources: owned.move(),
      });
    },
    async readCertificates(uri, context) {
      using owned = new DisposableStack();
      const { frameworks, stored } = await open(uri, paths, context, owned);
      return [stored.certificate, ...issuersOf(frameworks, stored, context.debug)];
    },
    async listCertificates(uri, context) {
      const { selector } = parseStoreUri(uri, []);
      using owned = new DisposableStack();
      const frameworks = owned.use(new Frameworks(paths));
      return await listStored(findIdentities(frameworks, owned, context.debug), selector);
    },
  };
}

/** Opens the selected identity. `wanted` selects among several by its key. */
async function open(
  uri: KeystoreUri,
  paths: FrameworkPaths,
  context: KeystoreContext,
  owned: DisposableStack,
  wanted?: Certificate,
): Promise<{ frameworks: Frameworks; stored: StoredIdentity }> {
  const { selector } = parseStoreUri(uri, []);
  const frameworks = owned.use(new Frameworks(paths));
  const found = findIdentities(frameworks, owned, context.debug);
  const matches = await selectStored(found, selector);
  const ofCertificate = wanted
    ? matches.filter(({ certificate }) => hasKeyOf(certificate, wanted))
    : matches;
  const stored = chooseStored(ofCertificate.length > 0 ? ofCertificate : matches, uri, context);
  return { frameworks, stored };
}
