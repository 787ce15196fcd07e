/**
 * A keystore that is registered and refuses, in words.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { Keystore } from "./types.ts";
import { type Scheme, SCHEMES } from "./uri.ts";

/** A keystore whose every use is `keystore-unavailable`. */
export function unavailableKeystore(scheme: Scheme): Keystore {
  const refuse = (label: string): Promise<never> =>
    Promise.reject(
      new HelperError(
        "keystore-unavailable",
        `${label}: this version does not use ${
          SCHEMES[scheme]
        } (${scheme}:); use a certificate and key file`,
      ),
    );
  return { openKey: (uri) => refuse(uri.label), readCertificates: (uri) => refuse(uri.label) };
}
