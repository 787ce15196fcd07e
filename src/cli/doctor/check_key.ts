/**
 * Whether key and certificate could be opened as a session would, and belong together. Pure.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { type Finding, found, isFindingName } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** Tells of the key. */
export function checkKey({ source, opening }: Inspection): readonly Finding[] {
  const { failure, signature, certificates } = opening;
  if (failure instanceof HelperError && isFindingName(failure.code)) {
    return [found(failure.code, failure.message)];
  }
  if (failure !== undefined) {
    const kind = failure instanceof Error ? failure.name : "failure";
    return [found("internal", `opening the key met an unexpected ${kind}; please report it`)];
  }
  if (!certificates) {
    const advice = "give --certificate and --private-key, or --cert-selector";
    return [found("key-not-given", `no certificate or key was named; ${advice}`)];
  }
  const key = (source?.privateKey ?? source?.certificate)?.displayName ?? "";
  if (signature === "wrong") {
    return [
      found(
        "signature-wrong",
        `what the key in ${key} signs does not verify with the certificate; check the keystore`,
      ),
    ];
  }
  return [found("key", `the key in ${key} belongs to the certificate and signs`)];
}
