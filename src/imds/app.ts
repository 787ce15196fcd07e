/**
 * The endpoint as a function from requests to answers: IMDSv2 for credentials and region, the container
 * credentials of one role, and a health probe. It knows no socket; clocks, tokens and credentials
 * come in.
 *
 * @module
 */
import type { Context, Handler, Hono } from "hono";
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
  const { log } = endpoint;
  if (log) {
    app.use(async (context, next) => {
      const started = endpoint.monotonic();
      await next();
      log({
        method: context.req.method,
        path: context.req.path,
        status: context.res.status,
        milliseconds: endpoint.monotonic() - started,
        client: context.env.client(),
      });
    });
  }
  app.use(async (context, next) => {
    const named = [context.req.header("host"), authorityOf(context.req.url)];
    if (named.every((authority) => authority === undefined || endpoint.isAllowedHost(authority))) {
      await next();
      return;
    }
    return context.text("the Host of the request is not this endpoint", 403, TEXT);
  });
  addTokens(app, endpoint);
  addMetadata(app, endpoint);
  addHealth(app, endpoint);
  if (endpoint.containerToken !== undefined) {
    addContainerCredentials(app, endpoint, endpoint.containerToken);
  }
  app.notFound((context) => context.text("not found", 404, TEXT));
  app.onError((_error, context) => context.text("internal error", 500, TEXT));
  return (request, connection) => app.fetch(request, connection);
}

/** The path with runs of leading slashes collapsed and without a trailing one. */
function pathOf(request: Request): string {
  const { url } = request;
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const query = url.indexOf("?", start);
  const path = start < 0 ? "/" : url.slice(start, query < 0 ? undefined : query);
  return path.replace(/^\/+/, "/").replace(/(?<=.)\/$/, "");
}

/** The host and port of a request's URL: of its own target where that is absolute. */
function authorityOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const end = url.indexOf("/", start);
  return url.slice(start, end < 0 ? undefined : end);
}

/** Answers `method` alone at `path`, and others with 405. */
function only(
  app: Hono<Environment>,
  method: "GET" | "PUT",
  path: string,
  handler: Handler<Environment>,
): void {
  app.on(method, path, handler);
  const allow = method === "GET" ? "GET, HEAD" : method; // hono answers HEAD as GET, without the body
  app.all(path, (context) => context.text("method not allowed", 405, { ...TEXT, allow }));
}

function addTokens(app: Hono<Environment>, { tokens }: Endpoint): void {
  only(app, "PUT", "/latest/api/token", (context) => {
    if (context.req.header("x-forwarded-for") !== undefined) {
      return context.text("requests that were forwarded get no token", 400, TEXT);
    }
    const wish = context.req.header(HEADER.tokenSeconds) ?? String(TOKEN_SECONDS.most);
    const seconds = /^\d{1,5}$/.test(wish) ? Number(wish) : NaN;
    if (!(seconds >= TOKEN_SECONDS.least && seconds <= TOKEN_SECONDS.most)) {
      return context.text(
        `${HEADER.tokenSeconds} must be ${TOKEN_SECONDS.least} to ${TOKEN_SECONDS.most}`,
        400,
        TEXT,
      );
    }
    const token = tokens.issue(seconds, context.env.client());
    return context.body(token, 200, { ...TEXT, [HEADER.tokenSeconds]: String(seconds) });
  });
}

/** An answer's status, type and body, before the token's remaining life is put on it. */
type Document = readonly [status: 200 | 404 | 500, type: Readonly<Record<string, string>>, string];

function addMetadata(app: Hono<Environment>, endpoint: Endpoint): void {
  const { tokens, roleName, region } = endpoint;
  const withToken = (path: string, document: (context: Context<Environment>) => Document) =>
    only(app, "GET", path, (context) => {
      const remaining = tokens.remaining(context.req.header(HEADER.token) ?? "");
      if (remaining === undefined) return context.text("a valid token is needed", 401, TEXT);
      const [status, type, body] = document(context);
      return context.body(body, status, { ...type, [HEADER.tokenSeconds]: String(remaining) });
    });

  const credentials = rendered(endpoint, metadataCredentials);
  withToken(ROLES, () => [200, TEXT, roleName]);
  withToken(`${ROLES}/:role`, (context) => {
    const role = context.req.param("role");
    if (role !== roleName && role !== ROLE_ALIAS) return [404, TEXT, "no such role"];
    const body = credentials();
    return body === undefined ? [500, TEXT, NO_CREDENTIALS] : [200, JSON_TYPE, body];
  });
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
  only(app, "GET", "/healthz", (context) => {
    const report = health();
    const status = report.status === "expired" ? 503 : 200;
    return context.body(JSON.stringify(report), status, JSON_TYPE);
  });
}

function addContainerCredentials(
  app: Hono<Environment>,
  endpoint: Endpoint,
  containerToken: string,
): void {
  const encoder = new TextEncoder();
  const expected = encoder.encode(containerToken);
  const credentials = rendered(
    endpoint,
    (current) => containerCredentials(current, endpoint.roleArn),
  );
  only(app, "GET", "/role/:role", (context) => {
    const refuse = (status: 401 | 404 | 500, code: string, message: string) =>
      context.body(JSON.stringify({ code, message }), status, JSON_TYPE);
    const given = encoder.encode(context.req.header("authorization") ?? "");
    if (!sameSecret(given, expected)) {
      return refuse(401, "AccessDenied", "the Authorization header is not the token");
    }
    if (context.req.param("role") !== endpoint.roleName) {
      return refuse(404, "NotFound", "no such role");
    }
    const body = credentials();
    return body === undefined
      ? refuse(500, "NoCredentials", NO_CREDENTIALS)
      : context.body(body, 200, JSON_TYPE);
  });
}
