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
import { hostRefusal } from "./host_check.ts";
import { hostHeaderCheck } from "./host_header.ts";
import { targetReader } from "./request_target.ts";
import { timingSafeEqual } from "./timing_safe_equal.ts";
import { TOKEN_SECONDS, type TokenStore } from "./tokens.ts";

/** What the endpoint answers from. */
export interface Endpoint {
  readonly tokens: TokenStore;
  /** The credentials, if they are valid now. `now` is read from the steady clock. */
  credentials(now: number): ServedCredentials | undefined;
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
  /** When the request came in, milliseconds on the steady clock. */
  readonly received: number;
}

/** Answers one request. */
export type Answer = (request: Request, connection: Connection) => Response | Promise<Response>;

/** What hono hands on: its own wrapping of a request costs more than the rest of an answer. */
type Environment = {
  Bindings: { readonly request: Request; readonly connection: Connection };
};

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
  const read = targetReader((authority) => endpoint.isAllowedHost(authority));
  const app = new Hono<Environment>({ getPath: ({ url }) => read(url).path });
  addTokens(app, endpoint);
  addMetadata(app, endpoint);
  addHealth(app, endpoint);
  if (endpoint.containerToken !== undefined) {
    addContainerCredentials(app, endpoint, endpoint.containerToken);
  }
  app.onError(() => reply("internal error", 500, TEXT));
  // Around hono and not as its middleware, which would make every answer wait for a few promises.
  const isValidHost = hostHeaderCheck();
  const answer: Answer = (request, connection) => {
    if (!isValidHost(request.headers.get("host"))) {
      return reply("Host: not one valid host name or address", 400, TEXT);
    }
    return read(request.url).isAllowed
      ? app.fetch(request, { request, connection })
      : reply(hostRefusal(read(request.url).authority), 403, TEXT);
  };
  const { log } = endpoint;
  if (!log) return answer;
  return async (request, connection) => {
    const { method } = request;
    const { path } = read(request.url);
    const response = await answer(request, connection);
    log({
      method,
      path,
      status: response.status,
      milliseconds: endpoint.monotonic() - connection.received,
      client: connection.client(),
    });
    return response;
  };
}

/** hono's own answers take their headers apart first. */
function reply(body: string, status: number, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, { status, headers });
}

type Handler = (context: Context<Environment>) => Response;

/** Answers `method` alone, and others with 405. */
function only(method: "GET" | "PUT", handler: Handler): Handler {
  // hono asks for the answer to HEAD as it does for GET, and leaves the body out
  const allow = method === "GET" ? "GET, HEAD" : method;
  return (context) => {
    const asked = context.env.request.method;
    if (asked === method || (asked === "HEAD" && method === "GET")) return handler(context);
    return reply("method not allowed", 405, { ...TEXT, allow });
  };
}

function addTokens(app: Hono<Environment>, { tokens }: Endpoint): void {
  const issue = only("PUT", ({ env: { request, connection } }) => {
    if (request.headers.has("x-forwarded-for")) {
      return reply("requests that were forwarded get no token", 400, TEXT);
    }
    const wish = request.headers.get(HEADER.tokenSeconds) ?? String(TOKEN_SECONDS.max);
    const seconds = /^\d{1,5}$/.test(wish) ? Number(wish) : NaN;
    if (!(seconds >= TOKEN_SECONDS.min && seconds <= TOKEN_SECONDS.max)) {
      return reply(
        `${HEADER.tokenSeconds} must be ${TOKEN_SECONDS.min} to ${TOKEN_SECONDS.max}`,
        400,
        TEXT,
      );
    }
    const token = tokens.issue(seconds, connection.client());
    return reply(token, 200, { ...TEXT, [HEADER.tokenSeconds]: String(seconds) });
  });
  app.all("/latest/api/token", issue);
}

/** An answer's status, type and body, before the token's remaining life is put on it. */
type Document = readonly [status: 200 | 404 | 500, type: Readonly<Record<string, string>>, string];

function addMetadata(app: Hono<Environment>, endpoint: Endpoint): void {
  const { tokens, roleName, region } = endpoint;
  const withToken = (document: (context: Context<Environment>) => Document): Handler => {
    const answer = answerer();
    return only("GET", (context) => {
      const { request, connection } = context.env;
      const token = request.headers.get(HEADER.token);
      const remaining = token === null ? undefined : tokens.remaining(token, connection.received);
      if (remaining === undefined) return reply("a valid token is needed", 401, TEXT);
      return answer(document(context), remaining);
    });
  };

  const credentials = rendered(
    endpoint,
    (current): Document => [200, JSON_TYPE, metadataCredentials(current)],
    [500, TEXT, NO_CREDENTIALS],
  );
  const ofRole = ({ env }: Context<Environment>) => credentials(env.connection);
  const names = [...new Set([roleName, ROLE_ALIAS])];
  const listed: Document = [200, TEXT, roleName];
  app.all(ROLES, withToken(() => listed));
  for (const name of names) app.all(`${ROLES}/${name}`, withToken(ofRole));
  const placed: Document = [200, TEXT, region];
  app.all("/latest/meta-data/placement/region", withToken(() => placed));
  // SDKs that ask for the zone take its last letter off.
  const zone: Document = [200, TEXT, `${region}a`];
  app.all("/latest/meta-data/placement/availability-zone", withToken(() => zone));
  const identity: Document = [200, JSON_TYPE, identityDocument(region)];
  app.all("/latest/dynamic/instance-identity/document", withToken(() => identity));

  // A parameter beside fixed names would make hono look for all paths in a slower way.
  const ofOther = withToken((context) =>
    names.includes(decoded(lastPart(context.req.path))) ? ofRole(context) : NO_SUCH_ROLE
  );
  const isRole = (path: string) =>
    path.startsWith(`${ROLES}/`) && path.lastIndexOf("/") === ROLES.length;
  app.notFound((context) =>
    isRole(context.req.path) ? ofOther(context) : reply("not found", 404, TEXT)
  );
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Without percent escapes, if it has proper ones. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const NO_SUCH_ROLE: Document = [404, TEXT, "no such role"];
const NO_AUTHORIZATION = "no Authorization header; this client may not read " +
  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: set AWS_CONTAINER_AUTHORIZATION_TOKEN too";
const NO_CREDENTIALS = "no valid credentials at this time; see /healthz";

/**
 * Puts the token's remaining life on documents. The last answer is kept: those of one second are the
 * same, and a copy takes a fraction of the time of a new one.
 */
function answerer(): (document: Document, remaining: number) => Response {
  let last: { document: Document; remaining: number; response: Response } | undefined;
  return (document, remaining) => {
    if (last?.document !== document || last.remaining !== remaining) {
      const [status, type, body] = document;
      const headers = { ...type, [HEADER.tokenSeconds]: String(remaining) };
      last = { document, remaining, response: reply(body, status, headers) };
    }
    return last.response.clone();
  };
}

/** Renders the current credentials, once for each set of them; `none` while there are none. */
function rendered<T>(
  endpoint: Endpoint,
  render: (credentials: ServedCredentials) => T,
  none: T,
): (connection: Connection) => T {
  let last: { fetched: Date; document: T } | undefined;
  return ({ received }) => {
    const credentials = endpoint.credentials(received);
    if (!credentials) return none;
    if (last?.fetched !== credentials.fetched) {
      last = { fetched: credentials.fetched, document: render(credentials) };
    }
    return last.document;
  };
}

function addHealth(app: Hono<Environment>, { health }: Endpoint): void {
  const report = only("GET", () => {
    const found = health();
    return reply(JSON.stringify(found), found.status === "expired" ? 503 : 200, JSON_TYPE);
  });
  app.all("/healthz", report);
}

function addContainerCredentials(
  app: Hono<Environment>,
  endpoint: Endpoint,
  containerToken: string,
): void {
  const credentials = rendered(
    endpoint,
    (current) => containerCredentials(current, endpoint.roleArn),
    undefined,
  );
  const answer = only("GET", (context) => {
    const { request, connection } = context.env;
    const refuse = (status: 401 | 404 | 500, code: string, message: string) =>
      reply(JSON.stringify({ code, message }), status, JSON_TYPE);
    const authorization = request.headers.get("authorization");
    if (authorization === null) return refuse(401, "AccessDenied", NO_AUTHORIZATION);
    if (!timingSafeEqual(authorization, containerToken)) {
      return refuse(401, "AccessDenied", "the Authorization header is not the token");
    }
    if (context.req.param("role") !== endpoint.roleName) {
      return refuse(404, "NotFound", "no such role");
    }
    const body = credentials(connection);
    return body === undefined
      ? refuse(500, "NoCredentials", NO_CREDENTIALS)
      : reply(body, 200, JSON_TYPE);
  });
  app.all("/role/:role", answer);
}
