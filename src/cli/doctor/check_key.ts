/**
 * Checks that key and certificate could be opened and match. Pure.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { type Finding, finding, isFindingName } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/** Checks the key. */
export function checkKey({ source, opening }: CheckContext): readonly Finding[] {
  const { failure, signature, certificates } = opening;
  if (failure instanceof HelperError && isFindingName(failure.code)) {
    return [finding(failure.code, failure.message)];
  }
  if (failure !== undefined) {
    const kind = failure instanceof Error ? failure.name : "failure";
    return [
      finding("internal", `opening the key failed with an unexpected ${kind}; please report it`),
    ];
  }
  if (!certificates) {
    const advice = "set --certificate and --private-key, or --cert-selector";
    return [finding("key-not-given", `no certificate or key was named; ${advice}`)];
  }
  const key = (source?.privateKey ?? source?.certificate)?.displayName ?? "";
  if (signature === "wrong") {
    return [
      finding(
        "signature-wrong",
        `${key}: the key's signature does not verify against the certificate; check the keystore`,
      ),
    ];
  }
  return [finding("key", `the key in ${key} matches the certificate and can sign`)];
}
