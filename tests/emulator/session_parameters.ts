import { headerValues, queryParameters, type RawRequest, splitTarget } from "./raw_request.ts";
import { Refusal } from "./refusals.ts";

/** Parameters of a CreateSession request. */
export interface SessionParameters {
  readonly profileArn: string;
  readonly roleArn: string;
  readonly trustAnchorArn: string;
  /** Seconds. */
  readonly durationSeconds: number;
  readonly roleSessionName: string | undefined;
}

const ARN_FORMATS = {
  profileArn:
    /^arn:aws(?:-[a-z]+)*:rolesanywhere:(?<region>[a-z0-9-]+):\d{12}:profile\/[0-9A-Za-z-]+$/,
  roleArn: /^arn:aws(?:-[a-z]+)*:iam::\d{12}:role\/(?:[\x21-\x7e]+\/)?[\w+=,.@-]{1,64}$/,
  trustAnchorArn:
    /^arn:aws(?:-[a-z]+)*:rolesanywhere:(?<region>[a-z0-9-]+):\d{12}:trust-anchor\/[0-9A-Za-z-]+$/,
} as const;

const MAX_BODY_BYTES = 64 * 1024;
const DURATION = { min: 900, max: 43_200 } as const;
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;

/**
 * Reads and checks the parameters: the ARNs in the query, the rest in the JSON body. Throws
 * Refusal. The service has a default for durationSeconds; here it is required, as in our contract.
 */
export function readSessionParameters(request: RawRequest, region: string): SessionParameters {
  const { query } = splitTarget(request.url);
  return { ...readArns(query, region), ...readBody(request) };
}

type ArnName = keyof typeof ARN_FORMATS;

function readArns(query: string, region: string): Record<ArnName, string> {
  const given = new Map<string, string>();
  for (const [name, value] of queryParameters(query)) {
    if (!Object.hasOwn(ARN_FORMATS, name)) throw new Refusal("parameter-unknown", name);
    if (given.has(name)) throw new Refusal("parameter-repeated", name);
    given.set(name, value);
  }
  const read = (name: ArnName) => {
    const value = given.get(name);
    if (value === undefined) throw new Refusal("parameter-missing", name);
    const match = ARN_FORMATS[name].exec(value);
    if (match === null) throw new Refusal("parameter-malformed", name);
    const arnRegion = match.groups?.["region"];
    if (arnRegion !== undefined && arnRegion !== region) {
      throw new Refusal("parameter-region-mismatch", name);
    }
    return value;
  };
  return {
    profileArn: read("profileArn"),
    roleArn: read("roleArn"),
    trustAnchorArn: read("trustAnchorArn"),
  };
}

function readBody(
  request: RawRequest,
): Pick<SessionParameters, "durationSeconds" | "roleSessionName"> {
  const [contentType = ""] = headerValues(request, "content-type");
  if (!/^application\/json(?:;|$)/i.test(contentType)) throw new Refusal("content-type");
  if (request.body.length > MAX_BODY_BYTES) throw new Refusal("body-too-large");
  const { durationSeconds, roleSessionName, ...others } = parseObject(request.body);
  const [unknownField] = Object.keys(others);
  if (unknownField !== undefined) throw new Refusal("body-field-unknown", unknownField);
  if (
    typeof durationSeconds !== "number" || !Number.isInteger(durationSeconds) ||
    durationSeconds < DURATION.min || durationSeconds > DURATION.max
  ) {
    throw new Refusal("duration-invalid");
  }
  if (roleSessionName === undefined) return { durationSeconds, roleSessionName };
  if (typeof roleSessionName !== "string" || !SESSION_NAME.test(roleSessionName)) {
    throw new Refusal("session-name-invalid");
  }
  return { durationSeconds, roleSessionName };
}

function parseObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refusal("body-malformed");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal("body-malformed");
  }
  return { ...value };
}
