import { type Answer, answer, errorAnswer } from "./answer.ts";
import type { SessionBody } from "./session.ts";

/** What a failure mode is made from. */
interface FailureContext {
  /** What the emulator would have answered. */
  readonly honest: Answer;
  /** The session in `honest`; null when the request was refused. */
  readonly session: SessionBody | null;
  /** For `slow`. */
  readonly milliseconds: number;
}

const HUGE_ANSWER_OCTETS = 32 * 1024 * 1024;

/** Services built on Amazon's Coral put a URL behind the code; clients cut it off at the colon. */
const CORAL_SUFFIX = ":http://internal.amazon.com/coral/com.amazon.coral.service/";

const html = `<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>proxy</center></body></html>
`;

/**
 * Each way in which the service, or what stands between, can fail. A mode that spoils a session
 * lets the refusal of a bad request stand.
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
    answer(403, { __type: "AccessDeniedException", message: "Only the body says so" }),
  "html-500": () => answer(502, html, { "content-type": "text/html" }),
  "redirect": () => answer(302, "", { location: "/elsewhere/sessions" }),

  "signature-expired": () => signatureRefusal("Signature expired: 20261127T000000Z", -400_000),
  "signature-not-current": () => signatureRefusal("Signature not yet current", 0),

  "drop": ({ honest }) => ({ ...honest, delivery: "drop" }),
  "hang": ({ honest }) => ({ ...honest, delivery: "hang" }),
  "half-answer": ({ honest }) => ({ ...honest, delivery: "half" }),
  "slow": ({ honest, milliseconds }) => ({ ...honest, delayMilliseconds: milliseconds }),

  "wrong-json": () => answer(201, '{"credentialSet": [{"credentials": '),
  "empty-set": spoil((session) => ({ ...session, credentialSet: [] })),
  "huge-answer": spoil((session) => ({ ...session, padding: "x".repeat(HUGE_ANSWER_OCTETS) })),
  "missing-fields": spoil((session) => withCredentials(session, { sessionToken: undefined })),
  "bad-expiration": spoil((session) => withCredentials(session, { expiration: "tomorrow" })),
} as const satisfies Record<string, (context: FailureContext) => Answer>;

/** The name of a failure mode. */
export type FailureMode = keyof typeof FAILURES;

/** SigV4's refusal of a time, by a service whose clock is off by `offset` milliseconds. */
function signatureRefusal(message: string, offset: number): Answer {
  const refusal = errorAnswer(403, "InvalidSignatureException", message);
  const date = new Date(Date.now() + offset).toUTCString();
  return { ...refusal, headers: { ...refusal.headers, date } };
}

function spoil(change: (session: SessionBody) => unknown): (context: FailureContext) => Answer {
  return ({ honest, session }) => session === null ? honest : answer(201, change(session));
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
