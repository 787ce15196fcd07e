/**
 * The `cng:` keystore: certificates in a store of Windows, and their private keys in any provider.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { hasKeyOf, storeKeyOf, storeSigner } from "../../src/keystore/os_store/key.ts";
import { parseStoreUri, type StoreQuery } from "../../src/keystore/os_store/uri.ts";
import {
  chooseStored,
  listStored,
  selectStored,
} from "../../src/keystore/os_store/certificates.ts";
import type { CertificateLister, Keystore, KeystoreContext } from "../../src/keystore/types.ts";
import { unavailableKeystore } from "../../src/keystore/unavailable.ts";
import { type KeystoreUri, SCHEMES } from "../../src/keystore/uri.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import {
  CertificateStore,
  type StoredCertificate,
  type StoreLocation,
} from "./certificate_store.ts";
import { acquirePrivateKey } from "./private_key.ts";
import { systemLibraries, Windows, type WindowsLibraries } from "./libraries.ts";

/** Attributes of a URI that select the store. */
const SETTINGS = { name: "store-name", location: "store-location" } as const;

/** Keystore of this machine. Throws on other systems. */
export const keystore: Keystore = Deno.build.os === "windows"
  ? createKeystore(systemLibraries)
  : unavailableKeystore("cng", "Windows");

/**
 * Makes the keystore with the libraries at the paths of `libraries`. Opens them at each use.
 *
 * URIs are `cng:` and, between semicolons, percent-encoded:
 *
 * - the keys of a selector: `x509Subject`, `x509Issuer`, `x509Serial`, `x509Thumbprint`, `x509San`,
 *   as in `cng:x509Subject=CN%3Dhost,O%3DExample;x509Serial=0A0B`
 * - `store-name` (else `--system-store-name`, `MY`) and `store-location`, `user` or `machine` (else
 *   `--system-store-location`, `user`)
 *
 * `cng:` without attributes matches every certificate of the store.
 */
export function createKeystore(
  libraries: () => WindowsLibraries,
): Keystore & CertificateLister {
  return {
    library: {
      title: SCHEMES.cng.title,
      name: "crypt32.dll",
      advice: "this system has no certificate store",
    },
    async openKey(uri, context, wanted) {
      using owned = new DisposableStack();
      const { windows, store, query } = openStore(uri, context, libraries, owned);
      const stored = await choose(store, query, uri, context, wanted);
      const publicKey = storeKeyOf(stored.certificate, uri);
      const issuers = store.issuersOf(stored, context.debug);
      const key = owned.use(
        acquirePrivateKey(stored, { windows, publicKey, displayName: uri.displayName, context }),
      );
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
      const { store, query } = openStore(uri, context, libraries, owned);
      const matches = await selectStored(store.certificates, query.selector);
      const stored = chooseStored(matches, uri, context);
      return [stored.certificate, ...store.issuersOf(stored, context.debug)];
    },
    async listCertificates(uri, context) {
      using owned = new DisposableStack();
      const { store, query } = openStore(uri, context, libraries, owned);
      return await listStored(store.certificates, query.selector);
    },
  };
}

function openStore(
  uri: KeystoreUri,
  context: KeystoreContext,
  libraries: () => WindowsLibraries,
  owned: DisposableStack,
): { windows: Windows; store: CertificateStore; query: StoreQuery } {
  const query = parseStoreUri(uri, Object.values(SETTINGS));
  const name = query.settings.get(SETTINGS.name) ?? context.setting("system-store-name") ?? "MY";
  const location = query.settings.get(SETTINGS.location) ??
    context.setting("system-store-location") ?? "user";
  if (!isLocation(location)) {
    throw new HelperError(
      "usage",
      `${uri.displayName}: ${SETTINGS.location} is "${location}"; it must be user or machine`,
    );
  }
  const windows = owned.use(new Windows(libraries()));
  const store = owned.use(new CertificateStore(windows, name, location, context.debug));
  return { windows, store, query };
}

function isLocation(text: string): text is StoreLocation {
  return text === "user" || text === "machine";
}

/** Chooses among the matching certificates with a private key, and with the key of `wanted`. */
async function choose(
  store: CertificateStore,
  { selector }: StoreQuery,
  uri: KeystoreUri,
  context: KeystoreContext,
  wanted: Certificate | undefined,
): Promise<StoredCertificate> {
  const matches = await selectStored(store.certificates, selector);
  if (matches.length <= 1) return chooseStored(matches, uri, context);
  const ofCertificate = wanted
    ? matches.filter(({ certificate }) => hasKeyOf(certificate, wanted))
    : matches;
  const withKey = ofCertificate.filter((stored) => store.hasPrivateKey(stored));
  const best = [withKey, ofCertificate].find(({ length }) => length > 0);
  return chooseStored(best ?? matches, uri, context);
}
