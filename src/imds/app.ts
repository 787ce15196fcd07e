/**
 * HTTP application of the endpoint: IMDSv2 for credentials and region, container credentials of
 * each role, and a health probe. It opens no socket; clocks, tokens and credentials are parameters.
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
import { decodePercent } from "../http/url_parts.ts";
import { hostRefusal } from "./host_check.ts";
import { hostHeaderCheck } from "./host_header.ts";
import { pathClass, PATHS } from "./paths.ts";
import { type RequestTarget, targetReader } from "./request_target.ts";
import { lastPartOf, type RoleTable, type ServedRole } from "./roles.ts";
import { timingSafeEqual } from "./timing_safe_equal.ts";
import { TOKEN_SECONDS, type TokenStore, type TokenUser } from "./tokens.ts";

/** State that the endpoint serves, and its dependencies. */
export interface Endpoint {
  readonly tokens: TokenStore;
  readonly table: RoleTable;
  health(): { readonly status: Health["status"] };
  /** Returns whether a request may name this host. */
  isAllowedHost(authority: string): boolean;
  /** True if the kernel reports the user of each connection. The table lists no users otherwise. */
  readonly identifiesUsers?: boolean;
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
  /** Name of the role that the request was about, if any. */
  readonly role?: string;
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

/** Handler of one request. */
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
  /** The role that the request was about, for the log. */
  role?: string;
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
  const clients = new Clients(endpoint);
  addTokens(app, endpoint, clients);
  addMetadata(app, endpoint, clients);
  addHealth(app, endpoint);
  if (endpoint.metrics) addMetrics(app, endpoint.metrics);
  if (endpoint.table.roles.some(({ containerToken }) => containerToken !== undefined)) {
    addContainerCredentials(app, clients);
  }
  app.onError(() => reply("internal error", 500, TEXT));
  const isValidHost = hostHeaderCheck();
  // Not a Hono middleware: that would add a few promises to every response.
  const respond = (
    bindings: Bindings,
    { authority, isAllowed }: RequestTarget,
  ): Response | Promise<Response> => {
    const { request } = bindings;
    if (!isValidHost(request.headers.get("host"))) {
      return reply("Host: not one valid host name or address", 400, TEXT);
    }
    return isAllowed ? app.fetch(request, bindings) : reply(hostRefusal(authority), 403, TEXT);
  };
  const { log, metrics } = endpoint;
  const handle = metrics ? countRequests(respond, metrics) : respond;
  if (!log) {
    return (request, connection) => {
      const target = readTarget(request.url);
      return handle({ request, connection, path: target.path }, target);
    };
  }
  return async (request, connection) => {
    const { method } = request;
    const target = readTarget(request.url);
    const { path } = target;
    const bindings: Bindings = { request, connection, path };
    const response = await handle(bindings, target);
    const { role } = bindings;
    log({
      method,
      path,
      status: response.status,
      milliseconds: endpoint.monotonic() - connection.received,
      client: connection.client(),
      ...(role === undefined ? {} : { role }),
    });
    return response;
  };
}

type TargetHandler = (
  bindings: Bindings,
  target: RequestTarget,
) => Response | Promise<Response>;

/** Wraps a handler so that its responses are counted. Only HEAD's come by a promise. */
function countRequests(handler: TargetHandler, metrics: EndpointMetrics): TargetHandler {
  return (bindings, target) => {
    const count = (response: Response) => {
      metrics.countRequest(target.path, response.status);
      return response;
    };
    const response = handler(bindings, target);
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

/** A role with its documents. */
interface RoleView {
  readonly role: ServedRole;
  /** Names of the role at the IMDSv2 path. */
  readonly names: ReadonlySet<string>;
  readonly listed: Document;
  readonly region: Document;
  /** SDKs that request the zone remove its last letter. */
  readonly zone: Document;
  readonly identity: Document;
  metadata(connection: Connection): Document;
  /** Returns the document for containers; undefined without valid credentials. */
  container(connection: Connection): string | undefined;
}

function viewOf(role: ServedRole): RoleView {
  const listed = lastPartOf(role.arn);
  return {
    role,
    names: new Set([listed, role.name, ROLE_ALIAS]),
    listed: [200, TEXT, listed],
    region: [200, TEXT, role.region],
    zone: [200, TEXT, `${role.region}a`],
    identity: [200, JSON_TYPE, identityDocument(role.region)],
    metadata: memoizeDocument(
      role,
      (current): Document => [200, JSON_TYPE, metadataCredentials(current)],
      [500, TEXT, NO_CREDENTIALS],
    ),
    container: memoizeDocument<string | undefined>(
      role,
      (current) => containerCredentials(current, role.arn),
      undefined,
    ),
  };
}

/** A client that may ask, with its role at the IMDSv2 paths. */
interface Client {
  readonly user: TokenUser;
  readonly view: RoleView;
}

/** Roles of the clients. The user of the connection decides at each request. */
class Clients {
  readonly views: readonly RoleView[];
  readonly #byUser: ReadonlyMap<number, RoleView>;
  readonly #others: RoleView | undefined;
  /** The client of an endpoint that does not distinguish users. */
  readonly #any: Client | undefined;

  constructor(private readonly endpoint: Endpoint) {
    const { roles, byUser, others } = endpoint.table;
    const views = new Map(roles.map((role) => [role, viewOf(role)]));
    const viewFor = (role: ServedRole) => views.get(role) ?? viewOf(role);
    this.views = [...views.values()];
    this.#byUser = new Map([...byUser].map(([user, role]) => [user, viewFor(role)]));
    this.#others = others && viewFor(others);
    if (!endpoint.identifiesUsers && !endpoint.allowedUsers && this.#others) {
      this.#any = { user: "any", view: this.#others };
    }
  }

  /** Returns the client, or the text that refuses it. */
  find(bindings: Bindings): Client | string {
    const client = this.#any ?? this.#findByUser(bindings.connection.user());
    if (typeof client !== "string") bindings.role = client.view.role.name;
    return client;
  }

  /** Returns true if `--allow-user` lets the client ask, or is not given. */
  isAllowed(connection: Connection): boolean {
    const { allowedUsers } = this.endpoint;
    if (!allowedUsers) return true;
    const user = connection.user();
    return user !== undefined && allowedUsers.has(user);
  }

  #findByUser(user: number | undefined): Client | string {
    const { allowedUsers } = this.endpoint;
    // Without a user, the client could be one that is listed for another role.
    if (user === undefined) return allowedUsers ? USER_REFUSAL : NO_ROLE;
    if (allowedUsers && !allowedUsers.has(user)) return USER_REFUSAL;
    const view = this.#byUser.get(user) ?? this.#others;
    return view ? { user, view } : NO_ROLE;
  }
}

const USER_REFUSAL = "this user gets no credentials; start serve with --allow-user for it";
const NO_ROLE = "this user has no role; add it to users in the file of --roles";

function addTokens(app: Hono<Environment>, { tokens }: Endpoint, clients: Clients): void {
  const issue = allowMethod("PUT", ({ env }) => {
    const { request, connection } = env;
    const client = clients.find(env);
    if (typeof client === "string") return reply(client, 403, TEXT);
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
    const token = tokens.issue(seconds, connection.client(), client.user);
    return reply(token, 200, { ...TEXT, [HEADER.tokenSeconds]: String(seconds) });
  });
  app.all(PATHS.token, issue);
}

/** Response without the header for the token's remaining lifetime. */
type Document = readonly [status: 200 | 404 | 500, type: Readonly<Record<string, string>>, string];

function addMetadata(app: Hono<Environment>, { tokens }: Endpoint, clients: Clients): void {
  const withToken = (
    document: (view: RoleView, context: Context<Environment>) => Document,
  ): RouteHandler =>
    allowMethod("GET", (context) => {
      const { request, connection } = context.env;
      const client = clients.find(context.env);
      if (typeof client === "string") return reply(client, 403, TEXT);
      const token = request.headers.get(HEADER.token);
      const remaining = token === null
        ? undefined
        : tokens.remaining(token, connection.received, client.user);
      if (remaining === undefined) return reply("a valid token is required", 401, TEXT);
      const [status, type, body] = document(client.view, context);
      return reply(body, status, { ...type, [HEADER.tokenSeconds]: String(remaining) });
    });

  const credentials = withToken((view, context) =>
    view.names.has(lastSegment(context.env.path))
      ? view.metadata(context.env.connection)
      : NO_SUCH_ROLE
  );
  app.all(PATHS.role, withToken(({ listed }) => listed));
  for (const name of new Set(clients.views.flatMap(({ names }) => [...names]))) {
    app.all(`${PATHS.role}/${name}`, credentials);
  }
  app.all(PATHS.region, withToken(({ region }) => region));
  app.all(PATHS.zone, withToken(({ zone }) => zone));
  app.all(PATHS.identity, withToken(({ identity }) => identity));

  // Not a path parameter: next to fixed names, Hono would use a slower router for all paths.
  const otherRole = withToken((view, { env }) =>
    view.names.has(decodePercent(lastSegment(env.path)))
      ? view.metadata(env.connection)
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
  role: ServedRole,
  render: (credentials: ServedCredentials) => T,
  none: T,
): (connection: Connection) => T {
  let last: { fetched: Date; document: T } | undefined;
  return ({ received }) => {
    const credentials = role.credentials(received);
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

function addContainerCredentials(app: Hono<Environment>, clients: Clients): void {
  const holders = clients.views.flatMap((view) => {
    const token = view.role.containerToken;
    return token === undefined ? [] : [{ view, token }];
  });
  /** Compares with all tokens, so that the time does not depend on the holder. */
  const findHolder = (authorization: string): RoleView | undefined => {
    let found: RoleView | undefined;
    for (const { view, token } of holders) {
      if (timingSafeEqual(authorization, token)) found = view;
    }
    return found;
  };
  const handler = allowMethod("GET", (context) => {
    const { request, connection } = context.env;
    const refuse = (status: 401 | 403 | 404 | 500, code: string, message: string) =>
      reply(JSON.stringify({ code, message }), status, JSON_TYPE);
    if (!clients.isAllowed(connection)) return refuse(403, "AccessDenied", USER_REFUSAL);
    const authorization = request.headers.get("authorization");
    if (authorization === null) return refuse(401, "AccessDenied", NO_AUTHORIZATION);
    const view = findHolder(authorization);
    if (!view) return refuse(401, "AccessDenied", "the Authorization header is not the token");
    context.env.role = view.role.name;
    if (context.req.param("role") !== view.role.name) {
      return refuse(404, "NotFound", "no such role");
    }
    const body = view.container(connection);
    return body === undefined
      ? refuse(500, "NoCredentials", NO_CREDENTIALS)
      : reply(body, 200, JSON_TYPE);
  });
  app.all("/role/:role", handler);
}
