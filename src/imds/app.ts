/**
 * The endpoint as a function from requests to answers: IMDSv2 for credentials and region, the container
 * credentials of one role, and a health probe. It knows no socket; clocks, tokens and credentials
 * come in.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import {
  containerCredentials,
  type Health,
  identityDocument,
  metadataCredentials,
  type ServedCredentials,
} from "./documents.ts";
import { sameSecret } from "./same_secret.ts";
import { TOKEN_SECONDS, type TokenStore } from "./tokens.ts";

/** What the endpoint answers from. */
export interface Endpoint {
  readonly tokens: TokenStore;
  /** The credentials, while they are valid. */
  credentials(): ServedCredentials | undefined;
  health(): Health;
  /** The role's name: the last part of its ARN. */
  readonly roleName: string;
  readonly roleArn: string;
  readonly region: string;
  /** Whether a request may name this host. */
  isAllowedHost(authority: string): boolean;
  /** What container clients must send in `Authorization`; absent: no such endpoint. */
  readonly containerToken?: string;
  /** Is told of each request when it has been answered. */
  readonly log?: (entry: AccessEntry) => void;
  monotonic(): number;
}

/** One answered request. */
export interface AccessEntry {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly client: string;
}

/** What the server says of a request's connection. */
export interface Connection {
  /** Who asks: an address, with the user where the system tells. */
  client(): string;
}

/** Answers one request. */
export type Answer = (request: Request, connection: Connection) => Response | Promise<Response>;

type Environment = { Bindings: Connection };

const HEADER = {
  token: "x-aws-ec2-metadata-token",
  tokenSeconds: "x-aws-ec2-metadata-token-ttl-seconds",
} as const;
const TEXT = { "content-type": "text/plain" } as const;
const JSON_TYPE = { "content-type": "application/json" } as const;
const ROLES = "/latest/meta-data/iam/security-credentials";
/** A name for the role in whose credentials anybody is interested. */
const ROLE_ALIAS = "default";

/** Makes the endpoint. */
export async function createApp(endpoint: Endpoint): Promise<Answer> {
  const { Hono } = await import("hono");
  const app = new Hono<Environment>({ getPath: pathOf });
  addTokens(app, endpoint);
  addMetadata(app, endpoint);
  addHealth(app, endpoint);
  if (endpoint.containerToken !== undefined) {
    addContainerCredentials(app, endpoint, endpoint.containerToken);
  }
  app.notFound(() => reply("not found", 404, TEXT));
  app.onError(() => reply("internal error", 500, TEXT));
  // Around hono and not as its middleware, which would make every answer wait for a few promises.
  const answer: Answer = (request, connection) =>
    endpoint.isAllowedHost(authorityOf(request.url))
      ? app.fetch(request, connection)
      : new Response("the Host of the request is not this endpoint", {
        status: 403,
        headers: TEXT,
      });
  return endpoint.log ? logged(answer, endpoint, endpoint.log) : answer;
}

function logged(answer: Answer, endpoint: Endpoint, log: (entry: AccessEntry) => void): Answer {
  return async (request, connection) => {
    const started = endpoint.monotonic();
    const { method } = request;
    const path = pathOf(request);
    const response = await answer(request, connection);
    log({
      method,
      path,
      status: response.status,
      milliseconds: endpoint.monotonic() - started,
      client: connection.client(),
    });
    return response;
  };
}

/** The path with runs of leading slashes collapsed and without a trailing one. */
function pathOf({ url }: Request): string {
  let start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  let end = query < 0 ? url.length : query;
  while (url[start + 1] === "/") start += 1;
  if (end - start > 1 && url[end - 1] === "/") end -= 1;
  return url.slice(start, end);
}

/** The host and port that a request names: by its target where that is absolute, else by Host. */
function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return url.slice(start, end < 0 ? undefined : end);
}

/** hono's own answers take their headers apart first. */
function reply(body: string, status: number, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, { status, headers });
}

/** Answers `method` alone at `path`, and others with 405. */
function only(
  app: Hono<Environment>,
  method: "GET" | "PUT",
  path: string,
  handler: (context: Context<Environment>) => Response,
): void {
  // hono asks for the answer to HEAD as it does for GET, and leaves the body out
  const allow = method === "GET" ? "GET, HEAD" : method;
  app.all(path, (context) => {
    const asked = context.req.method;
    if (asked === method || (asked === "HEAD" && method === "GET")) return handler(context);
    return reply("method not allowed", 405, { ...TEXT, allow });
  });
}

function addTokens(app: Hono<Environment>, { tokens }: Endpoint): void {
  only(app, "PUT", "/latest/api/token", (context) => {
    if (context.req.header("x-forwarded-for") !== undefined) {
      return reply("requests that were forwarded get no token", 400, TEXT);
    }
    const wish = context.req.header(HEADER.tokenSeconds) ?? String(TOKEN_SECONDS.most);
    const seconds = /^\d{1,5}$/.test(wish) ? Number(wish) : NaN;
    if (!(seconds >= TOKEN_SECONDS.least && seconds <= TOKEN_SECONDS.most)) {
      return reply(
        `${HEADER.tokenSeconds} must be ${TOKEN_SECONDS.least} to ${TOKEN_SECONDS.most}`,
        400,
        TEXT,
      );
    }
    const token = tokens.issue(seconds, context.env.client());
    return reply(token, 200, { ...TEXT, [HEADER.tokenSeconds]: String(seconds) });
  });
}

/** An answer's status, type and body, before the token's remaining life is put on it. */
type Document = readonly [status: 200 | 404 | 500, type: Readonly<Record<string, string>>, string];

function addMetadata(app: Hono<Environment>, endpoint: Endpoint): void {
  const { tokens, roleName, region } = endpoint;
  const withToken = (path: string, document: (context: Context<Environment>) => Document) =>
    only(app, "GET", path, (context) => {
      const remaining = tokens.remaining(context.req.header(HEADER.token) ?? "");
      if (remaining === undefined) return reply("a valid token is needed", 401, TEXT);
      const [status, type, body] = document(context);
      return reply(body, status, { ...type, [HEADER.tokenSeconds]: String(remaining) });
    });

  const credentials = rendered(endpoint, metadataCredentials);
  withToken(ROLES, () => [200, TEXT, roleName]);
  const ofRole = (): Document => {
    const body = credentials();
    return body === undefined ? [500, TEXT, NO_CREDENTIALS] : [200, JSON_TYPE, body];
  };
  const names = [roleName, ROLE_ALIAS];
  for (const name of names) withToken(`${ROLES}/${name}`, ofRole);
  // Names with percent escapes come here, as do unknown ones.
  withToken(
    `${ROLES}/:role`,
    (context) =>
      names.includes(context.req.param("role") ?? "") ? ofRole() : [404, TEXT, "no such role"],
  );
  withToken("/latest/meta-data/placement/region", () => [200, TEXT, region]);
  // SDKs that ask for the zone take its last letter off.
  withToken("/latest/meta-data/placement/availability-zone", () => [200, TEXT, `${region}a`]);
  withToken(
    "/latest/dynamic/instance-identity/document",
    () => [200, JSON_TYPE, identityDocument(region)],
  );
}

const NO_CREDENTIALS = "no valid credentials at this time; see /healthz";

/** Renders the current credentials, once for each set of them; undefined while there are none. */
function rendered(
  endpoint: Endpoint,
  render: (credentials: ServedCredentials) => string,
): () => string | undefined {
  let last: { fetched: Date; text: string } | undefined;
  return () => {
    const credentials = endpoint.credentials();
    if (!credentials) return undefined;
    if (last?.fetched !== credentials.fetched) {
      last = { fetched: credentials.fetched, text: render(credentials) };
    }
    return last.text;
  };
}

function addHealth(app: Hono<Environment>, { health }: Endpoint): void {
  only(app, "GET", "/healthz", () => {
    const report = health();
    const status = report.status === "expired" ? 503 : 200;
    return reply(JSON.stringify(report), status, JSON_TYPE);
  });
}

function addContainerCredentials(
  app: Hono<Environment>,
  endpoint: Endpoint,
  containerToken: string,
): void {
  const credentials = rendered(
    endpoint,
    (current) => containerCredentials(current, endpoint.roleArn),
  );
  only(app, "GET", "/role/:role", (context) => {
    const refuse = (status: 401 | 404 | 500, code: string, message: string) =>
      reply(JSON.stringify({ code, message }), status, JSON_TYPE);
    if (!sameSecret(context.req.header("authorization") ?? "", containerToken)) {
      return refuse(401, "AccessDenied", "the Authorization header is not the token");
    }
    if (context.req.param("role") !== endpoint.roleName) {
      return refuse(404, "NotFound", "no such role");
    }
    const body = credentials();
    return body === undefined
      ? refuse(500, "NoCredentials", NO_CREDENTIALS)
      : reply(body, 200, JSON_TYPE);
  });
}
