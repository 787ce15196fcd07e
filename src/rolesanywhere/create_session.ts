/**
 * CreateSession call of IAM Roles Anywhere: request, retries, response and errors.
 *
 * @module
 */
import { type ErrorCode, HelperError, printable } from "../errors.ts";
import type { Identity } from "../keystore/open_identity.ts";
import type { SessionArns } from "./arn.ts";
import type { SendRequest } from "../http/http_client.ts";
import type { HttpResponse } from "../http/http_exchange.ts";
import { clockDifference } from "./clock_difference.ts";
import { signRequest } from "./sign.ts";

/** Parameters of a session. */
export interface SessionRequest {
  readonly endpoint: URL;
  /** The signing region. */
  readonly region: string;
  readonly arns: SessionArns;
  /** Seconds, 900 to 43200. */
  readonly durationSeconds: number;
  readonly roleSessionName?: string;
}

/** Temporary credentials. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** Injected dependencies of a call. */
export interface CreateSessionDeps {
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

/**
 * Requests a session; each retry is signed again.
 *
 * Throws `service-refused`, `service-throttled`, `service-unavailable` (with the service's code and
 * text), `service-answer`, `session-expired`, the sender's errors, and key errors from signing.
 */
export async function createSession(
  request: SessionRequest,
  identity: Identity,
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  const started = deps.monotonic();
  let before = deps.now();
  for (let attempt = 1;; attempt++) {
    const remaining = CALL_LIMITS.total - (deps.monotonic() - started);
    let failure: HelperError;
    let response: HttpResponse | undefined;
    try {
      before = deps.now();
      response = await attemptSession(
        request,
        identity,
        deps,
        Math.min(CALL_LIMITS.request, remaining),
      );
      if (response.status >= 200 && response.status < 300) {
        return checkNotExpired(readCredentials(response), deps.now());
      }
      failure = addClockDifference(readServiceError(response), response, before, deps.now());
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      failure = thrown;
    }
    const delay = backoffDelay(attempt + 1, deps.random(), response?.headers.get("retry-after"));
    const remainingAfter = CALL_LIMITS.total - (deps.monotonic() - started) - delay;
    if (
      !RETRYABLE_CODES.has(failure.code) || attempt === CALL_LIMITS.attempts || remainingAfter <= 0
    ) {
      throw failure;
    }
    deps.debug(`attempt ${attempt}: ${failure.message}; retrying in ${delay} ms`);
    await deps.sleep(delay);
  }
}

async function attemptSession(
  request: SessionRequest,
  identity: Identity,
  deps: CreateSessionDeps,
  timeout: number,
): Promise<HttpResponse> {
  const { arns, durationSeconds, roleSessionName } = request;
  const body = JSON.stringify({
    durationSeconds,
    ...(roleSessionName === undefined ? {} : { roleSessionName }),
  });
  const signed = await signRequest(
    {
      endpoint: request.endpoint,
      path: "/sessions",
      query: new Map([
        ["profileArn", arns.profile.text],
        ["roleArn", arns.role.text],
        ["trustAnchorArn", arns.trustAnchor.text],
      ]),
      body: new TextEncoder().encode(body),
    },
    identity,
    request.region,
    deps.now(),
    deps.debug,
  );
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

function readCredentials(response: HttpResponse): SessionCredentials {
  const refuse = (what: string) =>
    new HelperError(
      "service-answer",
      `the endpoint returned HTTP ${response.status} ${what}; check --endpoint`,
    );
  const parsed = parseJson(response.body);
  if (parsed === undefined) throw refuse("with a body that is not JSON");
  const sets = property(parsed, "credentialSet");
  const credentials = property(Array.isArray(sets) ? sets[0] : undefined, "credentials");
  if (credentials === undefined) throw refuse("without credentials");
  const text = (name: string): string => {
    const value = property(credentials, name);
    if (typeof value !== "string" || value === "") throw refuse(`with credentials without ${name}`);
    return value;
  };
  const expiration = new Date(text("expiration"));
  if (Number.isNaN(expiration.getTime())) {
    throw refuse("with an expiration that is not a time");
  }
  return {
    accessKeyId: text("accessKeyId"),
    secretAccessKey: text("secretAccessKey"),
    sessionToken: text("sessionToken"),
    expiration,
  };
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

function readServiceError(response: HttpResponse): HelperError {
  const parsed = parseJson(response.body);
  const text = (name: string): string | undefined => {
    const value = property(parsed, name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const header = response.headers.get("x-amzn-errortype")?.split(":")[0];
  // A body's type may carry a namespace before a "#" (AWS JSON protocols).
  const named = header || text("code") || text("__type")?.split("#").at(-1)?.split(":")[0];
  const message = text("message") ?? text("Message");
  const what = `${named ? printable(named) : `HTTP ${response.status}`}${
    message ? `: ${printable(message)}` : ""
  }`;
  const { status } = response;
  if (status === 429 || (named && THROTTLING_CODES.has(named))) {
    return new HelperError("service-throttled", what);
  }
  if (status >= 500) {
    return new HelperError(
      "service-unavailable",
      message ? what : `${what}: the service is unavailable; try again later`,
    );
  }
  if (status >= 400 && named) return new HelperError("service-refused", what);
  return new HelperError(
    "service-answer",
    `the endpoint returned HTTP ${status} without an error of IAM Roles Anywhere; check --endpoint`,
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

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
