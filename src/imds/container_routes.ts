/**
 * Route of container credentials, by the token of a role.
 *
 * @module
 */
import type { Hono } from "hono";
import { type Clients, USER_REFUSAL } from "./clients.ts";
import { allowMethod, type Environment, JSON_TYPE, reply } from "./response.ts";
import { NO_CREDENTIALS, type RoleView } from "./role_view.ts";
import { timingSafeEqual } from "./timing_safe_equal.ts";

const NO_AUTHORIZATION = "no Authorization header; clients that ignore " +
  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE need AWS_CONTAINER_AUTHORIZATION_TOKEN";

/** Adds the path of container credentials. */
export function addContainerCredentials(app: Hono<Environment>, clients: Clients): void {
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
