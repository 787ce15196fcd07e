/**
 * Scheme → keystore. A keystore's module is loaded when its scheme is first asked for, so that a
 * run pays for no keystore but its own.
 *
 * @module
 */
import type { Keystore } from "./types.ts";
import type { Scheme } from "./uri.ts";

/** Gives the keystore of a scheme. */
export type KeystoreRegistry = (scheme: Scheme) => Promise<Keystore>;

/** What loads the module of each scheme. */
export type KeystoreLoaders = Readonly<Record<Scheme, () => Promise<{ keystore: Keystore }>>>;

/** Makes a registry that loads a keystore's module when it is asked for. */
export function createRegistry(loaders: KeystoreLoaders): KeystoreRegistry {
  return async (scheme) => (await loaders[scheme]()).keystore;
}
