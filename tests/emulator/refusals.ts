/** Code and status of an exception of the service. */
interface RefusalKind {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const denied = (message: string): RefusalKind => ({
  status: 403,
  code: "AccessDeniedException",
  message,
});
const invalid = (message: string): RefusalKind => ({
  status: 400,
  code: "ValidationException",
  message,
});
const unknown = (message: string): RefusalKind => ({
  status: 404,
  code: "UnknownOperationException",
  message,
});

/**
 * Reasons of refusals, with their responses. The codes and the "Untrusted certificate" text are the
 * service's. AWS documents no text for the others, so theirs are ours.
 */
export const REFUSALS = {
  "unknown-path": unknown("This operation does not exist"),
  "unknown-method": unknown("This operation does not exist with this method"),

  "authorization-missing": denied("Missing Authorization header"),
  "authorization-malformed": invalid("Malformed Authorization header"),
  "algorithm-unknown": invalid("Unknown signature algorithm"),
  "algorithm-mismatch": denied("Signature algorithm does not fit the certificate's key"),
  "scope-malformed": invalid("Malformed credential scope"),
  "scope-date-mismatch": denied("Date of the credential scope differs from X-Amz-Date"),
  "scope-region-mismatch": denied("Region of the credential scope is not this region"),
  "date-malformed": invalid("X-Amz-Date is absent or malformed"),
  "date-stale": denied("Signature is expired or not yet current"),
  "signed-headers-malformed": invalid("SignedHeaders must be in lower case, sorted and unique"),
  "signed-headers-incomplete": denied("A header that must be signed is not in SignedHeaders"),
  "signed-header-absent": denied("A header in SignedHeaders is not in the request"),
  "header-repeated": invalid("A header is repeated"),
  "serial-mismatch": denied("Credential does not name the certificate's serial number"),
  "signature-mismatch": denied("Signature does not match the request"),

  "certificate-malformed": invalid("X-Amz-X509 is absent or not one certificate"),
  "chain-malformed": invalid("X-Amz-X509-Chain is not a list of certificates"),
  "chain-too-long": invalid("X-Amz-X509-Chain holds more than 5 certificates"),
  "chain-holds-end-entity": invalid("X-Amz-X509-Chain holds the end-entity certificate"),
  "end-entity-version": denied("Untrusted certificate. Not an X.509 v3 certificate"),
  "end-entity-is-authority": denied("Untrusted certificate. It is a CA certificate"),
  "end-entity-key-usage": denied("Untrusted certificate. Key usage lacks Digital Signature"),
  "certificate-expired": denied("Untrusted certificate. Certificate is expired"),
  "certificate-not-yet-valid": denied("Untrusted certificate. Certificate is not yet valid"),
  "untrusted": denied("Untrusted certificate. Insufficient certificate"),

  "parameter-missing": invalid("A required parameter is missing"),
  "parameter-repeated": invalid("A parameter is repeated"),
  "parameter-unknown": invalid("Unknown parameter"),
  "parameter-malformed": invalid("A parameter is not a well-formed ARN of its kind"),
  "parameter-region-mismatch": invalid("Profile and trust anchor must be in this region"),
  "content-type": invalid("Content-Type must be application/json"),
  "body-too-large": invalid("Request body is larger than 64 KiB"),
  "body-malformed": invalid("Request body is not a JSON object"),
  "body-field-unknown": invalid("Request body holds an unknown field"),
  "duration-invalid": invalid("durationSeconds must be an integer from 900 to 43200"),
  "session-name-invalid": invalid("roleSessionName must be 2 to 64 of [\\w+=,.@-]"),
} as const satisfies Record<string, RefusalKind>;

/** Name of a refusal in the emulator, more specific than the service's code. */
export type RefusalReason = keyof typeof REFUSALS;

/** A request breaks a rule. The client gets `message`. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(readonly reason: RefusalReason, detail?: string) {
    const { status, code, message } = REFUSALS[reason];
    super(detail === undefined ? message : `${message}: ${detail}`);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
  }
}
