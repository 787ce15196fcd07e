/**
 * Responses of the endpoint's routes.
 *
 * @module
 */
import type { Context } from "hono";
import type { Connection } from "./endpoint.ts";

/** Content type of short texts. */
export const TEXT = { "content-type": "text/plain" } as const;
/** Content type of documents. */
export const JSON_TYPE = { "content-type": "application/json" } as const;

/** Hono bindings: the raw Request, because Hono's wrapper is slower than the whole response. */
export interface Bindings {
  readonly request: Request;
  readonly connection: Connection;
  /** The normalized path. */
  readonly path: string;
  /** The role that the request was about, for the log. */
  role?: string;
}

/** Environment of Hono's handlers. */
export type Environment = { Bindings: Bindings };

/** Creates a response. Hono's own helpers are slower, because they parse the headers first. */
export function reply(
  body: string,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(body, { status, headers });
}

/** Handler of one route. */
export type RouteHandler = (context: Context<Environment>) => Response;

/** Wraps a handler so that other methods get status 405. */
export function allowMethod(method: "GET" | "PUT", handler: RouteHandler): RouteHandler {
  // For HEAD, Hono calls the handler of GET and drops the body.
  const allow = method === "GET" ? "GET, HEAD" : method;
  return (context) => {
    const requested = context.env.request.method;
    if (requested === method || (requested === "HEAD" && method === "GET")) return handler(context);
    return reply("method not allowed", 405, { ...TEXT, allow });
  };
}

/** Response without the header for the token's remaining lifetime. */
export type Document = readonly [
  status: 200 | 404 | 500,
  type: Readonly<Record<string, string>>,
  string,
];
