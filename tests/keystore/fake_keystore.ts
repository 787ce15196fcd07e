import type { Keystore, KeystoreContext, Signer } from "../../src/keystore/types.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../src/keystore/uri.ts";
import type { KeystoreRegistry } from "../../src/keystore/registry.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import type { PublicKey } from "../../src/x509/public_key.ts";

/** The contents of one path of a {@link FakeKeystore}. */
export interface FakeEntry {
  /** The key's public half; absent: there is no key. */
  readonly publicKey?: PublicKey;
  readonly certificates?: readonly Certificate[];
  /** Signs with the key; absent: signing fails. */
  readonly sign?: Signer["sign"];
  /** The key turns out to be another keystore's. */
  readonly target?: string;
  /** A key that the keystore of files is to open. */
  readonly softwareKey?: Uint8Array<ArrayBuffer>;
}

/** A keystore in memory that counts the signers it has opened and not yet seen closed. */
export class FakeKeystore implements Keystore {
  open = 0;
  /** The certificates that openKey was called with. */
  readonly certificate: (Certificate | undefined)[] = [];

  constructor(readonly entries: Readonly<Record<string, FakeEntry>>) {}

  /** A registry in which every scheme is this keystore. */
  get registry(): KeystoreRegistry {
    return () => Promise.resolve(this);
  }

  openKey(uri: KeystoreUri, _context: KeystoreContext, certificate?: Certificate) {
    this.certificate.push(certificate);
    const { publicKey, certificates = [], target, softwareKey, sign } = this.#entry(uri);
    if (target !== undefined) {
      return Promise.resolve({
        target: parseKeystoreUri(target, "--private-key"),
        certificates,
      });
    }
    if (softwareKey) return Promise.resolve({ softwareKey });
    if (!publicKey) return Promise.reject(new Error(`no key at ${uri.displayName}`));
    this.open++;
    const signer: Signer = {
      publicKey,
      certificates,
      sign: sign ?? (() => Promise.reject(new Error("this signer does not sign"))),
      [Symbol.asyncDispose]: () => {
        this.open--;
        return Promise.resolve();
      },
    };
    return Promise.resolve(signer);
  }

  readCertificates(uri: KeystoreUri) {
    const [first, ...rest] = this.#entry(uri).certificates ?? [];
    if (!first) return Promise.reject(new Error(`no certificate at ${uri.displayName}`));
    return Promise.resolve([first, ...rest] as const);
  }

  #entry(uri: KeystoreUri): FakeEntry {
    return this.entries[uri.displayName] ?? {};
  }
}
