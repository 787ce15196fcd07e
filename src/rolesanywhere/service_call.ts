/**
 * One call of an AWS service: attempts, retries and errors, for CreateSession and AssumeRole alike.
 *
 * @module
 */
import { type ErrorCode, HelperError, printable } from "../errors.ts";
import type { SendRequest } from "../http/http_client.ts";
import type { HttpResponse } from "../http/http_exchange.ts";
import type { HttpRequest } from "../http/request.ts";
import { clockDifference } from "./clock_difference.ts";

/** Temporary credentials. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** Injected dependencies of a call. */
export interface ServiceDeps {
  readonly send: SendRequest;
  readonly now: () => Date;
  /** Milliseconds from any origin, never going back. */
  readonly monotonic: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly debug: (message: string) => void;
}

/** Limits of a call; times in milliseconds. */
export const CALL_LIMITS = {
  /** Timeout of one request and its response. */
  request: 15_000,
  /** Timeout of all attempts and the delays between them. */
  total: 30_000,
  /** Number of attempts. */
  attempts: 5,
  /** Maximum delay before the second attempt; it doubles with each attempt. */
  firstDelay: 500,
} as const;

/** AWS throttling error codes, whatever the HTTP status. */
const THROTTLING_CODES = new Set([
  "BandwidthLimitExceeded",
  "LimitExceededException",
  "PriorRequestNotComplete",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "ThrottledException",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

/** Error codes after which a retry can succeed. */
const RETRYABLE_CODES: ReadonlySet<ErrorCode> = new Set(
  ["service-throttled", "service-unavailable", "network", "network-timeout"] as const,
);

/** One operation of a service. */
export interface ServiceCall {
  /** Returns the signed request; called for each attempt. */
  sign(): Promise<HttpRequest>;
  /** Returns the credentials of a response with status 2xx. Throws `service-answer`. */
  readCredentials(response: HttpResponse): Promise<SessionCredentials> | SessionCredentials;
  /** Returns the error of a response with another status. */
  readError(response: HttpResponse): Promise<ServiceFault> | ServiceFault;
  /** The monotonic time at which the call must have ended; default: {@link CALL_LIMITS} from now. */
  readonly deadline?: number;
}

/** Error in a service's response. */
export interface ServiceFault {
  /** The service's error code, if there is one. */
  readonly code?: string | undefined;
  /** The service's text. */
  readonly message?: string | undefined;
  /** Names the service in the message about a response without an error of it. */
  readonly service: string;
  /** The setting that names the endpoint. */
  readonly setting: string;
  /** A likely cause, which follows the service's text if it refused the call. */
  readonly hint?: string | undefined;
}

/**
 * Calls a service; each retry is signed again.
 *
 * Throws `service-refused`, `service-throttled`, `service-unavailable` (with the service's code and
 * text), `service-answer`, `session-expired`, and the errors of signing and sending.
 */
export async function callService(
  call: ServiceCall,
  deps: ServiceDeps,
): Promise<SessionCredentials> {
  const deadline = call.deadline ?? deps.monotonic() + CALL_LIMITS.total;
  let before = deps.now();
  for (let attempt = 1;; attempt++) {
    const remaining = deadline - deps.monotonic();
    let failure: HelperError;
    let response: HttpResponse | undefined;
    try {
      before = deps.now();
      response = await attemptCall(call, deps, Math.min(CALL_LIMITS.request, remaining));
      if (response.status >= 200 && response.status < 300) {
        return checkNotExpired(await call.readCredentials(response), deps.now());
      }
      const error = toServiceError(response.status, await call.readError(response));
      failure = addClockDifference(error, response, before, deps.now());
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      failure = thrown;
    }
    const delay = backoffDelay(attempt + 1, deps.random(), response?.headers.get("retry-after"));
    const remainingAfter = deadline - deps.monotonic() - delay;
    if (
      !RETRYABLE_CODES.has(failure.code) || attempt === CALL_LIMITS.attempts || remainingAfter <= 0
    ) {
      throw failure;
    }
    deps.debug(`attempt ${attempt}: ${failure.message}; retrying in ${delay} ms`);
    await deps.sleep(delay);
  }
}

async function attemptCall(
  call: ServiceCall,
  deps: ServiceDeps,
  timeout: number,
): Promise<HttpResponse> {
  const signed = await call.sign();
  deps.debug(`POST ${signed.url.origin}${signed.url.pathname}`);
  const response = await deps.send(signed, timeout);
  const id = response.headers.get("x-amzn-requestid");
  deps.debug(`response: ${response.status}${id ? `, request id ${id}` : ""}`);
  return response;
}

/** Returns milliseconds: exponential with full jitter, at least the service's `Retry-After`. */
function backoffDelay(attempt: number, random: number, retryAfter: string | undefined): number {
  const max = CALL_LIMITS.firstDelay * 2 ** (attempt - 2);
  const requested = /^\d{1,4}$/.test(retryAfter ?? "") ? Number(retryAfter) * 1000 : 0;
  return Math.max(Math.round(random * max), requested);
}

/**
 * Returns the credentials if they are valid at `now`. Throws `session-expired`, which is not retried
 * within a call: the next session would be expired too.
 */
export function checkNotExpired(credentials: SessionCredentials, now: Date): SessionCredentials {
  if (credentials.expiration > now) return credentials;
  const seconds = Math.round((now.getTime() - credentials.expiration.getTime()) / 1000);
  throw new HelperError(
    "session-expired",
    `the session from the service expired ${seconds} s ago; check this machine's clock`,
  );
}

function toServiceError(status: number, fault: ServiceFault): HelperError {
  const { code, message, service, setting, hint } = fault;
  const what = `${code ? printable(code) : `HTTP ${status}`}${
    message ? `: ${printable(message)}` : ""
  }`;
  if (status === 429 || (code && THROTTLING_CODES.has(code))) {
    return new HelperError("service-throttled", what);
  }
  if (status >= 500) {
    return new HelperError(
      "service-unavailable",
      message ? what : `${what}: the service is unavailable; try again later`,
    );
  }
  if (status >= 400 && code) {
    return new HelperError("service-refused", hint === undefined ? what : `${what}; ${hint}`);
  }
  return new HelperError(
    "service-answer",
    `the endpoint returned HTTP ${status} without an error of ${service}; check ${setting}`,
  );
}

/** Messages of SigV4 that refuse the request's time. */
const TIME_REFUSAL = /signature[^.]*(expired|not yet current)|clock|RequestTimeTooSkewed/i;

/** Adds this machine's clock difference to an error about the request's time. */
function addClockDifference(
  error: HelperError,
  { headers }: HttpResponse,
  before: Date,
  after: Date,
): HelperError {
  const difference = clockDifference(headers.get("date"), before, after);
  if (difference === undefined || !TIME_REFUSAL.test(error.message)) return error;
  const seconds = Math.round(Math.abs(difference) / 1000);
  const measured = seconds === 0
    ? "this machine's clock agrees with the service's"
    : `this machine's clock is ${seconds} s ${
      difference > 0 ? "ahead of" : "behind"
    } the service's; set it`;
  return new HelperError(error.code, `${error.message}; ${measured}`, { cause: error.cause });
}
