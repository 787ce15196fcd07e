import { randomBytes } from "node:crypto";

import { type KnownCredentials, SignatureRefusal } from "../clients/signature_version_4.ts";
import { escapeXml, type ServerTls, VerifyingService, xml } from "../clients/verifying_service.ts";
import type { RawRequest } from "./raw_request.ts";

/** Session that the service issued, and the request for it. */
export interface AssumedSession extends Required<KnownCredentials> {
  readonly role: string;
  readonly sessionName: string;
  readonly externalId: string | null;
  readonly durationSeconds: number;
  /** The access key that signed the request. */
  readonly callerKey: string;
  /** The request as received. */
  readonly request: RawRequest;
}

/** Input of a failure. */
interface Context {
  /** The response without the failure. */
  readonly honest: string;
}

const MEGABYTE = 1 << 20;

/** Failures of the service, and of what may be in its place. */
export const STS_FAILURES = {
  "access-denied": () =>
    errorResponse(403, "AccessDenied", "User: demo is not authorized to perform: sts:AssumeRole"),
  "throttled": () => errorResponse(400, "Throttling", "Rate exceeded"),
  "too-many": () => errorResponse(429, "TooManyRequestsException", "Too many"),
  "unavailable": () => errorResponse(503, "ServiceUnavailable", "Try again"),
  "region-disabled": () =>
    errorResponse(403, "RegionDisabledException", "STS is not activated in this region"),
  "malformed-xml": ({ honest }: Context) => xml(200, honest.slice(0, -30)),
  "malformed-error": () => xml(403, "<ErrorResponse><Error><Code>AccessDenied</Error>"),
  "large-xml": ({ honest }: Context) => xml(200, `${honest}<!--${"x".repeat(100_000)}-->`),
  "giant-xml": ({ honest }: Context) => xml(200, `${honest}<!--${"x".repeat(2 * MEGABYTE)}-->`),
  "deep-xml": () => xml(200, `${"<a>".repeat(10_000)}${"</a>".repeat(10_000)}`),
  "endless-xml": ({ honest }: Context) => endless(`${honest}<!--`),
  "doctype": ({ honest }: Context) => xml(200, `<!DOCTYPE a [<!ENTITY b "c">]>${honest}`),
  "other-document": () => xml(200, "<GetCallerIdentityResponse/>"),
  "two-sets": ({ honest }: Context) =>
    xml(200, honest.replace("</AssumeRoleResult>", "<Credentials/></AssumeRoleResult>")),
  "no-token": ({ honest }: Context) =>
    xml(200, honest.replace(/<SessionToken>.*<\/SessionToken>/, "")),
  "line-in-token": ({ honest }: Context) =>
    xml(200, honest.replace("<SessionToken>", "<SessionToken>a&#10;b")),
  "bad-expiration": ({ honest }: Context) =>
    xml(200, honest.replace(/<Expiration>.*<\/Expiration>/, "<Expiration>soon</Expiration>")),
  "expired": ({ honest }: Context) =>
    xml(
      200,
      honest.replace(
        /<Expiration>.*<\/Expiration>/,
        "<Expiration>2020-01-01T00:00:00Z</Expiration>",
      ),
    ),
  "html": () => new Response("<html>proxy</html>", { headers: { "content-type": "text/html" } }),
  "html-403": () =>
    new Response("<html>no</html>", { status: 403, headers: { "content-type": "text/html" } }),
  "wrong-type": ({ honest }: Context) =>
    new Response(honest, { headers: { "content-type": "application/json" } }),
  "no-type": ({ honest }: Context) => {
    const response = new Response(new TextEncoder().encode(honest));
    response.headers.delete("content-type");
    return response;
  },
} as const satisfies Record<string, (context: Context) => Response>;

/** The name of a failure. */
export type StsFailure = keyof typeof STS_FAILURES;

interface Options {
  readonly tls?: ServerTls;
  /** External IDs that roles require, by their ARNs. */
  readonly externalIds?: Readonly<Record<string, string>>;
}

/** AssumeRole of AWS STS on loopback, by role chaining: the caller is a session that it knows. */
export class AssumeRoleService extends VerifyingService {
  /** The sessions that were issued, in order. */
  readonly issued: AssumedSession[] = [];
  readonly #externalIds: Readonly<Record<string, string>>;
  readonly #lifetimes = new Map<string, number>();
  readonly #failures = new Map<string, { failure: StsFailure; remaining: number }>();

  /** @param first the sessions of IAM Roles Anywhere, read at each request */
  constructor(first: () => readonly KnownCredentials[], options: Options = {}) {
    super("sts", () => [...first(), ...this.issued], options.tls);
    this.#externalIds = options.externalIds ?? {};
  }

  /** The URL with a name that the scenario's certificate is for. */
  get localhost(): string {
    return this.url.replace("127.0.0.1", "localhost");
  }

  /** Makes the next `times` calls for `role` fail. */
  fail(role: string, failure: StsFailure, times = Infinity): void {
    this.#failures.set(role, { failure, remaining: times });
  }

  /** Issues sessions of a role that last this many seconds, whatever the request. */
  shortenSessions(role: string, seconds: number): void {
    this.#lifetimes.set(role, seconds);
  }

  /** Ends all failures. */
  recover(): void {
    this.#failures.clear();
  }

  protected override answer(request: RawRequest): Response {
    const form = new URLSearchParams(new TextDecoder().decode(request.body));
    const text = (name: string) => form.get(name) ?? "";
    if (request.method !== "POST" || text("Action") !== "AssumeRole") {
      throw new SignatureRefusal("InvalidAction", `${request.method} ${text("Action")}`);
    }
    if (text("Version") !== "2011-06-15") throw new SignatureRefusal("InvalidAction", "version");
    const role = text("RoleArn");
    const sessionName = text("RoleSessionName");
    const externalId = form.get("ExternalId");
    const durationSeconds = Number(text("DurationSeconds"));
    if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(role)) invalid("roleArn");
    if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) invalid("roleSessionName");
    if (externalId !== null && !/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) invalid("externalId");
    if (!(durationSeconds >= 900)) invalid("durationSeconds");
    if (durationSeconds > 3600) {
      throw new SignatureRefusal(
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role " +
          "chaining",
      );
    }
    const required = this.#externalIds[role];
    if (required !== undefined && required !== externalId) {
      throw new SignatureRefusal("AccessDenied", `not authorized to assume ${role}`);
    }
    const lifetime = this.#lifetimes.get(role) ?? durationSeconds;
    const session: AssumedSession = {
      role,
      sessionName,
      externalId,
      durationSeconds,
      callerKey: /Credential=([^/]+)/.exec(authorization(request))?.[1] ?? "",
      request,
      accessKeyId: `ASIA${randomBytes(8).toString("hex").toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString("base64"),
      sessionToken: randomBytes(500).toString("base64"),
      expiration: new Date(Date.now() + lifetime * 1000).toISOString(),
    };
    const honest = sessionDocument(session);
    const entry = this.#failures.get(role);
    if (entry && entry.remaining-- > 0) return STS_FAILURES[entry.failure]({ honest });
    this.issued.push(session);
    return xml(200, honest);
  }

  protected override refuse({ code, message }: SignatureRefusal): Response {
    return errorResponse(code === "ValidationError" ? 400 : 403, code, message);
  }
}

function invalid(what: string): never {
  throw new SignatureRefusal("ValidationError", `1 validation error: Value at '${what}'`);
}

function authorization({ headers }: RawRequest): string {
  return headers.find(([name]) => name.toLowerCase() === "authorization")?.[1] ?? "";
}

function sessionDocument(session: AssumedSession): string {
  const { role, sessionName } = session;
  const arn = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/");
  return '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n' +
    `  <AssumeRoleResult>\n    <AssumedRoleUser><AssumedRoleId>AROADEMO:${sessionName}</AssumedRoleId>` +
    `<Arn>${arn}/${sessionName}</Arn></AssumedRoleUser>\n    <Credentials>` +
    `<AccessKeyId>${session.accessKeyId}</AccessKeyId>` +
    `<SecretAccessKey>${escapeXml(session.secretAccessKey)}</SecretAccessKey>` +
    `<SessionToken>${escapeXml(session.sessionToken)}</SessionToken>` +
    `<Expiration>${session.expiration}</Expiration></Credentials>\n  </AssumeRoleResult>\n` +
    `  <ResponseMetadata><RequestId>${crypto.randomUUID()}</RequestId></ResponseMetadata>\n` +
    "</AssumeRoleResponse>\n";
}

function errorResponse(status: number, code: string, message: string): Response {
  return xml(
    status,
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
      `<Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>` +
      `<RequestId>${crypto.randomUUID()}</RequestId></ErrorResponse>`,
  );
}

function endless(start: string): Response {
  const encoder = new TextEncoder();
  const block = encoder.encode("x".repeat(16_384));
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(encoder.encode(start)),
    pull: (controller) => controller.enqueue(block),
  });
  return new Response(body, { headers: { "content-type": "text/xml" } });
}
