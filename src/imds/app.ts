/**
 * HTTP application of the endpoint: IMDSv2 for credentials and region, container credentials of
 * each role, and a health probe. It opens no socket; clocks, tokens and credentials are parameters.
 *
 * @module
 */
import type { Hono } from "hono";
import { Clients } from "./clients.ts";
import { addContainerCredentials } from "./container_routes.ts";
import type { Endpoint, EndpointMetrics, RequestHandler } from "./endpoint.ts";
import { hostRefusal } from "./host_check.ts";
import { hostHeaderCheck } from "./host_header.ts";
import { addMetadata, addTokens } from "./metadata_routes.ts";
import { PATHS } from "./paths.ts";
import { type RequestTarget, targetReader } from "./request_target.ts";
import {
  allowMethod,
  type Bindings,
  type Environment,
  JSON_TYPE,
  reply,
  TEXT,
} from "./response.ts";

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
