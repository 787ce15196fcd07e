/**
 * A keystore that is registered and refuses, in words.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { Keystore } from "./types.ts";
import { type Scheme, SCHEMES } from "./uri.ts";

/**
 * A keystore whose every use is `keystore-unavailable`: it is there on the system called `system`
 * alone; absent, this version has it nowhere.
 */
export function unavailableKeystore(scheme: Scheme, system?: string): Keystore {
  const what = `${SCHEMES[scheme].title} (${scheme}:)`;
  const why = system === undefined
    ? `this version does not use ${what}`
    : `${what} is there on ${system} alone`;
  const refuse = (label: string): Promise<never> =>
    Promise.reject(
      new HelperError(
        "keystore-unavailable",
        `${label}: ${why}; use a certificate and key file`,
      ),
    );
  return {
    openKey: (uri) => refuse(uri.displayName),
    readCertificates: (uri) => refuse(uri.displayName),
  };
}
