/**
 * Failures of the Workload API, and their messages.
 *
 * @module
 */
import { type ErrorCode, HelperError } from "../../src/errors.ts";

/** Time until the agent must have sent an SVID, milliseconds. */
export const SVID_TIMEOUT = 4000;

/** Description of a failure. */
interface Failure {
  readonly code: ErrorCode;
  readonly what: string;
  readonly advice: string;
  /** The agent may recover within seconds. */
  readonly isTemporary?: true;
}

/** Failures by name: the only table of them. */
const FAILURES = {
  "missing": {
    code: "keystore-unavailable",
    what: "the agent's socket does not exist",
    advice: "start the SPIFFE agent, or correct the path",
  },
  "not-socket": {
    code: "keystore-unavailable",
    what: "the path is not a socket",
    advice: "use that of the SPIFFE agent's socket",
  },
  "forbidden": {
    code: "keystore-unavailable",
    what: "no permission to connect to the socket",
    advice: "run as a user who may write to it",
  },
  "refused": {
    code: "keystore-unavailable",
    what: "the SPIFFE agent does not accept connections",
    advice: "start it, or wait until it has started",
    isTemporary: true,
  },
  "no-http2": {
    code: "keystore-unavailable",
    what: "the connection ended before a response in HTTP/2",
    advice: "check that this is the agent's socket",
    isTemporary: true,
  },
  "not-ready": {
    code: "keystore-unavailable",
    what: "the SPIFFE agent is not ready (UNAVAILABLE)",
    advice: "wait until it has started",
    isTemporary: true,
  },
  "ended": {
    code: "keystore-unavailable",
    what: "the SPIFFE agent closed the stream",
    advice: "wait until it has restarted, or see its log",
    isTemporary: true,
  },
  "no-response": {
    code: "keystore-unavailable",
    what: `the SPIFFE agent sent no SVID within ${SVID_TIMEOUT / 1000} s`,
    advice: "see its log",
  },
  "no-identity": {
    code: "key-not-found",
    what: "the SPIFFE agent has no identity for this process (PermissionDenied)",
    advice: `create an entry, such as with the selector unix:uid:${Deno.uid() ?? 0}`,
  },
  "not-workload-api": {
    code: "keystore-unavailable",
    what: "the response is not that of a SPIFFE Workload API",
    advice: "check that this is the agent's socket",
  },
  "refused-call": {
    code: "keystore-unavailable",
    what: "the SPIFFE agent refused the call",
    advice: "see its log, or run with --debug",
  },
  "cut-off": {
    code: "keystore-unavailable",
    what: "the SPIFFE agent closed the stream within a message",
    advice: "wait until it has restarted, or see its log",
    isTemporary: true,
  },
  "too-large": {
    code: "keystore-unavailable",
    what: "the response has more than 4 MiB",
    advice: "check that this is the agent's socket",
  },
  "too-many": {
    code: "keystore-unavailable",
    what: "the response has too many SVIDs or certificates",
    advice: "limit the entries that match this process",
  },
  "malformed": {
    code: "certificate-format",
    what: "the SPIFFE agent sent a malformed SVID",
    advice: "check that this is the agent's socket",
  },
  "other-id": {
    code: "certificate-format",
    what: "the certificate of the SVID has another SPIFFE ID",
    advice: "see the agent's log",
  },
} as const satisfies Readonly<Record<string, Failure>>;

/** Name of a failure. */
export type FailureName = keyof typeof FAILURES;

/** Failure of the Workload API. Becomes a `HelperError` where the URI is known. */
export class AgentError extends Error {
  override readonly name = "AgentError";

  /** Text for `--debug`. */
  readonly detail: string;

  constructor(
    readonly failure: FailureName,
    { detail = "", cause }: { detail?: string; cause?: unknown } = {},
  ) {
    super(detail === "" ? failure : `${failure}: ${detail}`, { cause });
    this.detail = detail;
  }

  get isTemporary(): boolean {
    const failure: Failure = FAILURES[this.failure];
    return failure.isTemporary ?? false;
  }
}

/** Returns the error for the user. `subject` names the URI. */
export function toHelperError(thrown: unknown, subject: string): HelperError {
  if (thrown instanceof HelperError) return thrown;
  if (!(thrown instanceof AgentError)) throw thrown;
  const { code, what, advice } = FAILURES[thrown.failure];
  return new HelperError(code, `${subject}: ${what}; ${advice}`, { cause: thrown });
}
