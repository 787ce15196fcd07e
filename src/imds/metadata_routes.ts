/**
 * Routes of IMDSv2: tokens, credentials and region.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import { decodePercent } from "../http/url_parts.ts";
import type { Clients } from "./clients.ts";
import type { Endpoint } from "./endpoint.ts";
import { pathClass, PATHS } from "./paths.ts";
import {
  allowMethod,
  type Document,
  type Environment,
  reply,
  type RouteHandler,
  TEXT,
} from "./response.ts";
import type { RoleView } from "./role_view.ts";
import { TOKEN_SECONDS } from "./tokens.ts";

const HEADER = {
  token: "x-aws-ec2-metadata-token",
  tokenSeconds: "x-aws-ec2-metadata-token-ttl-seconds",
} as const;
const NO_SUCH_ROLE: Document = [404, TEXT, "no such role"];

/** Adds the path of tokens. */
export function addTokens(app: Hono<Environment>, { tokens }: Endpoint, clients: Clients): void {
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

/** Adds the paths that need a token. */
export function addMetadata(app: Hono<Environment>, { tokens }: Endpoint, clients: Clients): void {
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
