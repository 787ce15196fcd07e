/**
 * Interfaces of the endpoint: its state, its requests and its connections.
 *
 * @module
 */
import type { Health } from "./documents.ts";
import type { RoleTable } from "./roles.ts";
import type { TokenStore } from "./tokens.ts";

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
