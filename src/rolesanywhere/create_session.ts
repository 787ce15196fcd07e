/**
 * The CreateSession call of IAM Roles Anywhere: request, retries, answer and errors.
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

/** What a session is made of. */
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

/** What touches the world outside. */
export interface CreateSessionDeps {
  readonly send: SendRequest;
  readonly now: () => Date;
  /** Milliseconds from any origin, never going back. */
  readonly monotonic: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly debug: (words: string) => void;
}

/** Limits of a call, milliseconds where not said otherwise. */
export const CALL_LIMITS = {
  /** One request and its answer. */
  request: 15_000,
  /** All attempts and the pauses between them. */
  total: 30_000,
  /** Number of attempts. */
  attempts: 5,
  /** The longest pause before the second attempt; it doubles with each. */
  firstPause: 500,
} as const;

/** Error codes that say "later", whatever their status. */
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

/** Error codes of this family that another attempt may heal. */
const RETRIED: ReadonlySet<ErrorCode> = new Set(
  ["service-throttled", "service-unavailable", "network", "network-timeout"] as const,
);

/**
 * Asks for a session, with retries that are signed anew each time.
 *
 * Throws `service-refused`, `service-throttled`, `service-unavailable` (the service's own code and
 * text), `service-answer`, `session-expired`, and what the sender throws; key errors from signing
 * pass through.
 */
export async function createSession(
  request: SessionRequest,
  identity: Identity,
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  const started = deps.monotonic();
  let before = deps.now();
  for (let attempt = 1;; attempt++) {
    const left = CALL_LIMITS.total - (deps.monotonic() - started);
    let failure: HelperError;
    let answer: HttpResponse | undefined;
    try {
      before = deps.now();
      answer = await attemptSession(
        request,
        identity,
        deps,
        Math.min(CALL_LIMITS.request, left),
      );
      if (answer.status >= 200 && answer.status < 300) {
        return unexpired(readCredentials(answer), deps.now());
      }
      failure = withClockDifference(readServiceError(answer), answer, before, deps.now());
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      failure = thrown;
    }
    const pause = backoffDelay(attempt + 1, deps.random(), answer?.headers.get("retry-after"));
    const leftAfter = CALL_LIMITS.total - (deps.monotonic() - started) - pause;
    if (!RETRIED.has(failure.code) || attempt === CALL_LIMITS.attempts || leftAfter <= 0) {
      throw failure;
    }
    deps.debug(`attempt ${attempt}: ${failure.message}; trying again in ${pause} ms`);
    await deps.sleep(pause);
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
  const answer = await deps.send(signed, timeout);
  const id = answer.headers.get("x-amzn-requestid");
  deps.debug(`answer: ${answer.status}${id ? `, request id ${id}` : ""}`);
  return answer;
}

/** Milliseconds: exponential with full jitter, never less than the service asked for. */
function backoffDelay(attempt: number, random: number, retryAfter: string | undefined): number {
  const max = CALL_LIMITS.firstPause * 2 ** (attempt - 2);
  const asked = /^\d{1,4}$/.test(retryAfter ?? "") ? Number(retryAfter) * 1000 : 0;
  return Math.max(Math.round(random * max), asked);
}

function readCredentials(answer: HttpResponse): SessionCredentials {
  const refuse = (what: string) =>
    new HelperError(
      "service-answer",
      `the endpoint answered ${answer.status} ${what}; check --endpoint`,
    );
  const parsed = parseJson(answer.body);
  if (parsed === undefined) throw refuse("with something that is not JSON");
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
 * within a call: the next session would be expired as well.
 */
export function unexpired(credentials: SessionCredentials, now: Date): SessionCredentials {
  if (credentials.expiration > now) return credentials;
  const seconds = Math.round((now.getTime() - credentials.expiration.getTime()) / 1000);
  throw new HelperError(
    "session-expired",
    `the session from the service expired ${seconds} s ago; check this machine's clock`,
  );
}

function readServiceError(answer: HttpResponse): HelperError {
  const parsed = parseJson(answer.body);
  const text = (name: string): string | undefined => {
    const value = property(parsed, name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const header = answer.headers.get("x-amzn-errortype")?.split(":")[0];
  // A body's type may carry a namespace before a "#" (AWS JSON protocols).
  const named = header || text("code") || text("__type")?.split("#").at(-1)?.split(":")[0];
  const words = text("message") ?? text("Message");
  const what = `${named ? printable(named) : `HTTP ${answer.status}`}${
    words ? `: ${printable(words)}` : ""
  }`;
  const { status } = answer;
  if (status === 429 || (named && THROTTLING_CODES.has(named))) {
    return new HelperError("service-throttled", what);
  }
  if (status >= 500) {
    return new HelperError(
      "service-unavailable",
      words ? what : `${what}: the service is unavailable; try again later`,
    );
  }
  if (status >= 400 && named) return new HelperError("service-refused", what);
  return new HelperError(
    "service-answer",
    `the endpoint answered HTTP ${status}, not as IAM Roles Anywhere does; check --endpoint`,
  );
}

/** A refusal of the request's time, by SigV4's own texts. */
const TIME_REFUSAL = /signature[^.]*(expired|not yet current)|clock|RequestTimeTooSkewed/i;

/** Adds this machine's clock difference to a refusal that is about the request's time. */
function withClockDifference(
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
