/**
 * HTTP application of the endpoint: IMDSv2 for credentials and region, container credentials of one
 * role, and a health probe. It opens no socket; clocks, tokens and credentials are parameters.
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
import { pathClass, PATHS } from "./paths.ts";
import { type RequestTarget, targetReader } from "./request_target.ts";
import { timingSafeEqual } from "./timing_safe_equal.ts";
import { TOKEN_SECONDS, type TokenStore, type TokenUser } from "./tokens.ts";

/** State that the endpoint serves, and its dependencies. */
export interface Endpoint {
  readonly tokens: TokenStore;
  /** Returns the credentials if they are valid at `now`, a time of `monotonic`. */
  credentials(now: number): ServedCredentials | undefined;
  health(): Health;
  /** The role's name: the last part of its ARN. */
  readonly roleName: string;
  readonly roleArn: string;
  readonly region: string;
  /** Returns whether a request may name this host. */
  isAllowedHost(authority: string): boolean;
  /** Value of `Authorization` that container clients must send; absent: no container endpoint. */
  readonly containerToken?: string;
  /** Users that get tokens and credentials; absent: all. */
  readonly allowedUsers?: ReadonlySet<number>;
  /** Metrics for Prometheus; absent: no `/metrics`, and nothing is counted. */
  readonly metrics?: EndpointMetrics;
  /** Called after each response. */
  readonly log?: (entry: AccessEntry) => void;
  monotonic(): number;
}

/** Metrics that the endpoint feeds and serves. */
export interface EndpointMetrics {
  readonly contentType: string;
  /** Counts a response. `path` is normalized. */
  countRequest(path: string, status: number): void;
  render(): string;
}

/** One request that was answered. */
export interface AccessEntry {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly client: string;
}

/** Connection of a request. */
export interface Connection {
  /** Returns the client's address, with its user if the system reports it. */
  client(): string;
  /** Returns the kernel's number of the client's user; undefined if the kernel does not report it. */
  user(): number | undefined;
  /** Arrival of the request, milliseconds of the monotonic clock. */
  readonly received: number;
}

/** Handles one request. */
export type RequestHandler = (
  request: Request,
  connection: Connection,
) => Response | Promise<Response>;

/** Hono bindings: the raw Request, because Hono's wrapper is slower than the whole response. */
interface Bindings {
  readonly request: Request;
  readonly connection: Connection;
  /** The normalized path. */
  readonly path: string;
}

type Environment = { Bindings: Bindings };

const HEADER = {
  token: "x-aws-ec2-metadata-token",
  tokenSeconds: "x-aws-ec2-metadata-token-ttl-seconds",
} as const;
const TEXT = { "content-type": "text/plain" } as const;
const JSON_TYPE = { "content-type": "application/json" } as const;
/** Alias for the role's name. */
const ROLE_ALIAS = "default";

/** Creates the request handler of the endpoint. */
export async function createApp(endpoint: Endpoint): Promise<RequestHandler> {
  const { Hono } = await import("hono");
  const readTarget = targetReader((authority) => endpoint.isAllowedHost(authority));
  const app = new Hono<Environment>({ getPath: (_request, options) => options?.env?.path ?? "/" });
  addTokens(app, endpoint);
  addMetadata(app, endpoint);
  addHealth(app, endpoint);
  if (endpoint.metrics) addMetrics(app, endpoint.metrics);
  if (endpoint.containerToken !== undefined) {
    addContainerCredentials(app, endpoint, endpoint.containerToken);
  }
  app.onError(() => reply("internal error", 500, TEXT));
  const isValidHost = hostHeaderCheck();
  // Not a Hono middleware: that would add a few promises to every response.
  const respond = (
    request: Request,
    connection: Connection,
    { path, authority, isAllowed }: RequestTarget,
  ): Response | Promise<Response> => {
    if (!isValidHost(request.headers.get("host"))) {
      return reply("Host: not one valid host name or address", 400, TEXT);
    }
    return isAllowed
      ? app.fetch(request, { request, connection, path })
      : reply(hostRefusal(authority), 403, TEXT);
  };
  const { log, metrics } = endpoint;
  const handle = metrics ? countRequests(respond, metrics) : respond;
  if (!log) return (request, connection) => handle(request, connection, readTarget(request.url));
  return async (request, connection) => {
    const { method } = request;
    const target = readTarget(request.url);
    const { path } = target;
    const response = await handle(request, connection, target);
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

type TargetHandler = (
  request: Request,
  connection: Connection,
  target: RequestTarget,
) => Response | Promise<Response>;

/** Wraps a handler so that its responses are counted. Only HEAD's come by a promise. */
function countRequests(handler: TargetHandler, metrics: EndpointMetrics): TargetHandler {
  return (request, connection, target) => {
    const count = (response: Response) => {
      metrics.countRequest(target.path, response.status);
      return response;
    };
    const response = handler(request, connection, target);
    return response instanceof Promise ? response.then(count) : count(response);
  };
}

/** Creates a response. Hono's own helpers are slower, because they parse the headers first. */
function reply(body: string, status: number, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, { status, headers });
}

type RouteHandler = (context: Context<Environment>) => Response;

/** Wraps a handler so that other methods get status 405. */
function allowMethod(method: "GET" | "PUT", handler: RouteHandler): RouteHandler {
  // For HEAD, Hono calls the handler of GET and drops the body.
  const allow = method === "GET" ? "GET, HEAD" : method;
  return (context) => {
    const requested = context.env.request.method;
    if (requested === method || (requested === "HEAD" && method === "GET")) return handler(context);
    return reply("method not allowed", 405, { ...TEXT, allow });
  };
}

/** Returns the user of a connection for its tokens; undefined if the user gets nothing. */
function tokenUser({ allowedUsers }: Endpoint, connection: Connection): TokenUser | undefined {
  if (!allowedUsers) return "any";
  const user = connection.user();
  return user !== undefined && allowedUsers.has(user) ? user : undefined;
}

const USER_REFUSAL = "this user gets no credentials; start serve with --allow-user for it";

function addTokens(app: Hono<Environment>, endpoint: Endpoint): void {
  const { tokens } = endpoint;
  const issue = allowMethod("PUT", ({ env: { request, connection } }) => {
    const user = tokenUser(endpoint, connection);
    if (user === undefined) return reply(USER_REFUSAL, 403, TEXT);
    if (request.headers.has("x-forwarded-for")) {
      return reply("forwarded requests do not get a token", 400, TEXT);
    }
    const header = request.headers.get(HEADER.tokenSeconds) ?? String(TOKEN_SECONDS.max);
    const seconds = /^\d{1,5}$/.test(header) ? Number(header) : NaN;
    if (!(seconds >= TOKEN_SECONDS.min && seconds <= TOKEN_SECONDS.max)) {
      return reply(
        `${HEADER.tokenSeconds} must be ${TOKEN_SECONDS.min} to ${TOKEN_SECONDS.max}`,
        400,
        TEXT,
      );
    }
    const token = tokens.issue(seconds, connection.client(), user);
    return reply(token, 200, { ...TEXT, [HEADER.tokenSeconds]: String(seconds) });
  });
  app.all(PATHS.token, issue);
}

/** Response without the header for the token's remaining lifetime. */
type Document = readonly [status: 200 | 404 | 500, type: Readonly<Record<string, string>>, string];

function addMetadata(app: Hono<Environment>, endpoint: Endpoint): void {
  const { tokens, roleName, region } = endpoint;
  const withToken = (document: (context: Context<Environment>) => Document): RouteHandler =>
    allowMethod("GET", (context) => {
      const { request, connection } = context.env;
      const user = tokenUser(endpoint, connection);
      if (user === undefined) return reply(USER_REFUSAL, 403, TEXT);
      const token = request.headers.get(HEADER.token);
      const remaining = token === null
        ? undefined
        : tokens.remaining(token, connection.received, user);
      if (remaining === undefined) return reply("a valid token is required", 401, TEXT);
      const [status, type, body] = document(context);
      return reply(body, status, { ...type, [HEADER.tokenSeconds]: String(remaining) });
    });

  const credentials = memoizeDocument(
    endpoint,
    (current): Document => [200, JSON_TYPE, metadataCredentials(current)],
    [500, TEXT, NO_CREDENTIALS],
  );
  const roleCredentials = ({ env }: Context<Environment>) => credentials(env.connection);
  const names = [...new Set([roleName, ROLE_ALIAS])];
  const listed: Document = [200, TEXT, roleName];
  app.all(PATHS.role, withToken(() => listed));
  for (const name of names) app.all(`${PATHS.role}/${name}`, withToken(roleCredentials));
  const placed: Document = [200, TEXT, region];
  app.all(PATHS.region, withToken(() => placed));
  // SDKs that request the zone remove its last letter.
  const zone: Document = [200, TEXT, `${region}a`];
  app.all(PATHS.zone, withToken(() => zone));
  const identity: Document = [200, JSON_TYPE, identityDocument(region)];
  app.all(PATHS.identity, withToken(() => identity));

  // Not a path parameter: next to fixed names, Hono would use a slower router for all paths.
  const otherRole = withToken((context) =>
    names.includes(decodePercent(lastSegment(context.req.path)))
      ? roleCredentials(context)
      : NO_SUCH_ROLE
  );
  app.notFound((context) =>
    pathClass(context.req.path) === "credentials"
      ? otherRole(context)
      : reply("not found", 404, TEXT)
  );
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Returns the text without percent escapes; unchanged if they are malformed. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const NO_SUCH_ROLE: Document = [404, TEXT, "no such role"];
const NO_AUTHORIZATION = "no Authorization header; clients that ignore " +
  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE need AWS_CONTAINER_AUTHORIZATION_TOKEN";
const NO_CREDENTIALS = "no valid credentials at this time; see /healthz";

/**
 * Returns a function that renders the current credentials, once a set; `none` if there are none.
 *
 * Measured by tests/bench/cells.ts: this is worth about 20 % of requests per second.
 */
function memoizeDocument<T>(
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
  const report = allowMethod("GET", () => {
    const found = health();
    return reply(JSON.stringify(found), found.status === "expired" ? 503 : 200, JSON_TYPE);
  });
  app.all(PATHS.health, report);
}

function addMetrics(app: Hono<Environment>, metrics: EndpointMetrics): void {
  const headers = { "content-type": metrics.contentType };
  app.all(PATHS.metrics, allowMethod("GET", () => reply(metrics.render(), 200, headers)));
}

function addContainerCredentials(
  app: Hono<Environment>,
  endpoint: Endpoint,
  containerToken: string,
): void {
  const credentials = memoizeDocument(
    endpoint,
    (current) => containerCredentials(current, endpoint.roleArn),
    undefined,
  );
  const handler = allowMethod("GET", (context) => {
    const { request, connection } = context.env;
    const refuse = (status: 401 | 403 | 404 | 500, code: string, message: string) =>
      reply(JSON.stringify({ code, message }), status, JSON_TYPE);
    if (tokenUser(endpoint, connection) === undefined) {
      return refuse(403, "AccessDenied", USER_REFUSAL);
    }
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
  app.all("/role/:role", handler);
}
