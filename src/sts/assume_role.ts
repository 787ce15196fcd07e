/**
 * AssumeRole calls of AWS STS: a chain of roles, each assumed with the session of the one before.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { HttpResponse } from "../http/http_exchange.ts";
import type { HttpRequest } from "../http/request.ts";
import type { Arn } from "../rolesanywhere/arn.ts";
import { canonicalQuery, formatAmzDate } from "../rolesanywhere/canonical.ts";
import {
  callService,
  type ServiceDeps,
  type ServiceFault,
  type SessionCredentials,
} from "../rolesanywhere/service_call.ts";
import { CHAIN_LIMITS, type RoleChain } from "./role_chain.ts";
import { parseDocument } from "./xml.ts";

/** The setting that names STS's endpoint, for messages. */
const SETTING = "--sts-endpoint";
/** Credentials are sent in headers and written to files of lines. */
const CREDENTIAL = /^[\x21-\x7e]{1,32768}$/;

/** Minimum time for a call after slow ones, milliseconds. */
const MIN_CALL = 5_000;

/** Parameters of a chain that its settings leave open. */
export interface ChainCall {
  /** The session's name if the settings have none. */
  readonly defaultSessionName: string;
  /** The monotonic time at which the last call should have ended. */
  readonly deadline: number;
}

/**
 * Assumes the roles in their order and returns the last one's session.
 *
 * Throws the errors of a call; the message begins with the role that could not be assumed.
 */
export async function assumeRoles(
  chain: RoleChain,
  credentials: SessionCredentials,
  call: ChainCall,
  deps: ServiceDeps,
): Promise<SessionCredentials> {
  if (!CREDENTIAL.test(credentials.sessionToken)) {
    throw new HelperError(
      "service-answer",
      "the session cannot be used to assume a role: its token is not ASCII; check --endpoint",
    );
  }
  let current = credentials;
  for (const [index, role] of chain.roles.entries()) {
    const isLast = index === chain.roles.length - 1;
    const parameters = {
      role,
      sessionName: chain.sessionName ?? call.defaultSessionName,
      // A session in between is used once, at once.
      durationSeconds: isLast ? chain.durationSeconds : CHAIN_LIMITS.minDuration,
    };
    deps.debug(
      `assuming ${role.text} (${index + 1} of ${chain.roles.length}) as ` +
        `${parameters.sessionName} for ${parameters.durationSeconds} s` +
        `${chain.externalId === undefined ? "" : ", with an external ID"}`,
    );
    const deadline = Math.max(call.deadline, deps.monotonic() + MIN_CALL);
    current = await assumeRole(chain, parameters, current, deadline, deps);
  }
  return current;
}

/** Parameters of one AssumeRole call. */
interface RoleParameters {
  readonly role: Arn;
  readonly sessionName: string;
  readonly durationSeconds: number;
}

async function assumeRole(
  chain: RoleChain,
  { role, sessionName, durationSeconds }: RoleParameters,
  credentials: SessionCredentials,
  deadline: number,
  deps: ServiceDeps,
): Promise<SessionCredentials> {
  const body = canonicalQuery(
    new Map([
      ["Action", "AssumeRole"],
      ["Version", "2011-06-15"],
      ["RoleArn", role.text],
      ["RoleSessionName", sessionName],
      ["DurationSeconds", String(durationSeconds)],
      ...(chain.externalId === undefined ? [] : [["ExternalId", chain.externalId] as const]),
    ]),
  );
  try {
    return await callService({
      sign: async () => await signRequest(chain, body, credentials, deps.now()),
      readCredentials,
      readError,
      deadline,
    }, deps);
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    throw new HelperError(thrown.code, `${role.text}: ${thrown.message}`, { cause: thrown.cause });
  }
}

/** Signs the request with AWS Signature Version 4. Loads the library when it is needed. */
async function signRequest(
  { endpoint, region }: RoleChain,
  body: string,
  { accessKeyId, secretAccessKey, sessionToken }: SessionCredentials,
  now: Date,
): Promise<HttpRequest> {
  const { AwsV4Signer } = await import("aws4fetch");
  const { headers } = await new AwsV4Signer({
    method: "POST",
    url: endpoint.href,
    headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body,
    accessKeyId,
    secretAccessKey,
    sessionToken,
    service: "sts",
    region,
    datetime: formatAmzDate(now),
    allHeaders: true,
  }).sign();
  return {
    url: endpoint,
    method: "POST",
    headers: new Map(headers),
    body: new TextEncoder().encode(body),
  };
}

async function readCredentials(response: HttpResponse): Promise<SessionCredentials> {
  const refuse = (what: string) =>
    new HelperError(
      "service-answer",
      `the endpoint returned HTTP ${response.status} ${what}; check ${SETTING}`,
    );
  if (!isXml(response)) throw refuse("with a body of another type than XML");
  const document = await parseDocument(response.body);
  if (document?.name !== "AssumeRoleResponse") {
    throw refuse("with a body that is not STS's XML");
  }
  const text = (name: string): string => {
    const value = document.text("AssumeRoleResult", "Credentials", name);
    if (!value || !CREDENTIAL.test(value)) throw refuse(`with credentials without a valid ${name}`);
    return value;
  };
  const expiration = new Date(text("Expiration"));
  if (Number.isNaN(expiration.getTime())) throw refuse("with an expiration that is not a time");
  return {
    accessKeyId: text("AccessKeyId"),
    secretAccessKey: text("SecretAccessKey"),
    sessionToken: text("SessionToken"),
    expiration,
  };
}

async function readError(response: HttpResponse): Promise<ServiceFault> {
  // An error is read whatever its type: moto's have another type, and one more element.
  const document = await parseDocument(response.body);
  const text = (name: string) =>
    document?.name === "ErrorResponse"
      ? document.text("Error", name) || document.text("Errors", "Error", name) || undefined
      : undefined;
  return {
    code: text("Code"),
    message: text("Message"),
    service: "AWS STS",
    setting: SETTING,
  };
}

/** Returns true if the response's type is XML, or if it has none. */
function isXml({ headers }: HttpResponse): boolean {
  return /^(?:$|(?:text|application)\/xml\s*(?:;|$))/i.test(headers.get("content-type") ?? "");
}
