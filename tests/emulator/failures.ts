import { type EmulatedResponse, errorAnswer, jsonResponse } from "./answer.ts";
import type { SessionBody } from "./session.ts";

/** Input of a failure mode. */
interface FailureContext {
  /** The response without the failure. */
  readonly honest: EmulatedResponse;
  /** The session in `honest`; null when the request was refused. */
  readonly session: SessionBody | null;
  /** For `slow`. */
  readonly milliseconds: number;
}

const HUGE_ANSWER_OCTETS = 32 * 1024 * 1024;

/** Services built on Amazon's Coral put a URL after the code; clients remove it from the colon on. */
const CORAL_SUFFIX = ":http://internal.amazon.com/coral/com.amazon.coral.service/";

const html = `<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>proxy</center></body></html>
`;

/**
 * Failures of the service, and of the network in between. A mode that damages a session does not change
 * the refusal of a bad request.
 */
export const FAILURES = {
  "access-denied": () =>
    errorAnswer(
      403,
      `AccessDeniedException${CORAL_SUFFIX}`,
      "Untrusted certificate. Insufficient certificate",
    ),
  "validation": () => errorAnswer(400, "ValidationException", "Value at 'roleArn' is not valid"),
  "resource-not-found": () =>
    errorAnswer(404, "ResourceNotFoundException", "Trust anchor was not found"),
  "throttled": () => errorAnswer(429, "ThrottlingException", "Rate exceeded"),
  "service-error": () => errorAnswer(500, "InternalServerException", "Internal server error"),
  "unavailable": () => errorAnswer(503, "ServiceUnavailableException", "Service is unavailable"),
  "body-code-only": () =>
    jsonResponse(403, { __type: "AccessDeniedException", message: "The code is in the body only" }),
  "html-500": () => jsonResponse(502, html, { "content-type": "text/html" }),
  "redirect": () => jsonResponse(302, "", { location: "/elsewhere/sessions" }),

  "signature-expired": () => signatureRefusal("Signature expired: 20261127T000000Z", -400_000),
  "signature-not-current": () => signatureRefusal("Signature not yet current", 0),

  "drop": ({ honest }) => ({ ...honest, delivery: "drop" }),
  "hang": ({ honest }) => ({ ...honest, delivery: "hang" }),
  "half-answer": ({ honest }) => ({ ...honest, delivery: "half" }),
  "slow": ({ honest, milliseconds }) => ({ ...honest, delayMilliseconds: milliseconds }),

  "wrong-json": () => jsonResponse(201, '{"credentialSet": [{"credentials": '),
  "empty-set": spoil((session) => ({ ...session, credentialSet: [] })),
  "huge-answer": spoil((session) => ({ ...session, padding: "x".repeat(HUGE_ANSWER_OCTETS) })),
  "missing-fields": spoil((session) => withCredentials(session, { sessionToken: undefined })),
  "bad-expiration": spoil((session) => withCredentials(session, { expiration: "tomorrow" })),
} as const satisfies Record<string, (context: FailureContext) => EmulatedResponse>;

/** The name of a failure mode. */
export type FailureMode = keyof typeof FAILURES;

/** Returns SigV4's refusal of a time, by a service whose clock is off by `offset` milliseconds. */
function signatureRefusal(message: string, offset: number): EmulatedResponse {
  const refusal = errorAnswer(403, "InvalidSignatureException", message);
  const date = new Date(Date.now() + offset).toUTCString();
  return { ...refusal, headers: { ...refusal.headers, date } };
}

function spoil(
  change: (session: SessionBody) => unknown,
): (context: FailureContext) => EmulatedResponse {
  return ({ honest, session }) => session === null ? honest : jsonResponse(201, change(session));
}

function withCredentials(session: SessionBody, change: Record<string, unknown>): unknown {
  return {
    ...session,
    credentialSet: session.credentialSet.map((entry) => ({
      ...entry,
      credentials: { ...entry.credentials, ...change },
    })),
  };
}
