/**
 * Registry of keystores by scheme. A keystore's module is loaded on its first use, so that a run
 * loads only the keystores it needs.
 *
 * @module
 */
import type { Keystore } from "./types.ts";
import type { Scheme } from "./uri.ts";

/** Function that returns the keystore of a scheme. */
export type KeystoreRegistry = (scheme: Scheme) => Promise<Keystore>;

/** Module loader of each scheme. */
export type KeystoreLoaders = Readonly<Record<Scheme, () => Promise<{ keystore: Keystore }>>>;

/** Creates a registry that loads a keystore's module on its first use. */
export function createRegistry(loaders: KeystoreLoaders): KeystoreRegistry {
  return async (scheme) => (await loaders[scheme]()).keystore;
}
