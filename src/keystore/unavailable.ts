/**
 * Keystore of a scheme that is not available on this system.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { Keystore } from "./types.ts";
import { type Scheme, SCHEMES } from "./uri.ts";

/**
 * Returns a keystore that throws `keystore-unavailable` on every use. `system` is the only system
 * that has it.
 */
export function unavailableKeystore(scheme: Scheme, system: string): Keystore {
  const what = `${SCHEMES[scheme].title} (${scheme}:)`;
  const refuse = (displayName: string): Promise<never> =>
    Promise.reject(
      new HelperError(
        "keystore-unavailable",
        `${displayName}: ${what} is only available on ${system}; use a certificate and key file`,
      ),
    );
  return {
    openKey: (uri) => refuse(uri.displayName),
    readCertificates: (uri) => refuse(uri.displayName),
  };
}
