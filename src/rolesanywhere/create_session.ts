/**
 * CreateSession call of IAM Roles Anywhere: request and response.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { Identity } from "../keystore/open_identity.ts";
import type { HttpResponse } from "../http/http_exchange.ts";
import type { SessionArns } from "./arn.ts";
import {
  callService,
  type ServiceDeps,
  type ServiceFault,
  type SessionCredentials,
} from "./service_call.ts";
import { signRequest } from "./sign.ts";

export { CALL_LIMITS, checkNotExpired } from "./service_call.ts";
export type { SessionCredentials } from "./service_call.ts";

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

/** Injected dependencies of a call. */
export type CreateSessionDeps = ServiceDeps;

/** Requests a session; each retry is signed again. Throws the errors of the call, and of the key. */
export async function createSession(
  request: SessionRequest,
  identity: Identity,
  deps: CreateSessionDeps,
): Promise<SessionCredentials> {
  const { arns, durationSeconds, roleSessionName } = request;
  const body = JSON.stringify({
    durationSeconds,
    ...(roleSessionName === undefined ? {} : { roleSessionName }),
  });
  const unsigned = {
    endpoint: request.endpoint,
    path: "/sessions",
    query: new Map([
      ["profileArn", arns.profile.text],
      ["roleArn", arns.role.text],
      ["trustAnchorArn", arns.trustAnchor.text],
    ]),
    body: new TextEncoder().encode(body),
  };
  return await callService({
    sign: async () => await signRequest(unsigned, identity, request.region, deps.now(), deps.debug),
    readCredentials,
    readError: (response) => ({ ...readError(response), hint: regionHint(request) }),
  }, deps);
}

/** Returns a likely cause of a refusal: IAM Roles Anywhere looks for a trust anchor in its own region only. */
function regionHint({ region, arns: { trustAnchor } }: SessionRequest): string | undefined {
  return region === trustAnchor.region
    ? undefined
    : `the region is ${region}, but the trust anchor is in ${trustAnchor.region}`;
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

function readError(response: HttpResponse): ServiceFault {
  const parsed = parseJson(response.body);
  const text = (name: string): string | undefined => {
    const value = property(parsed, name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const header = response.headers.get("x-amzn-errortype")?.split(":")[0];
  return {
    // A body's type may carry a namespace before a "#" (AWS JSON protocols).
    code: header || text("code") || text("__type")?.split("#").at(-1)?.split(":")[0],
    message: text("message") ?? text("Message"),
    service: "IAM Roles Anywhere",
    setting: "--endpoint",
  };
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
