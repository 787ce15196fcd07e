/**
 * Chooses idle connections to close, so that slow clients cannot use up file descriptors. Pure.
 *
 * @module
 */
import type { ServerConnection } from "./sockets.ts";

/** Limits of connections; times in milliseconds. */
export const CONNECTION_LIMITS = {
  /** Timeout from a connection's start, or its last request, to its next complete request. */
  idle: 60_000,
  /** Maximum of open connections; beyond it, the longest idle are closed. */
  max: 512,
  /** Other files that the process needs. */
  otherFiles: 64,
  /** With fewer open files, a burst of connections leaves none for the service and the key. */
  minFiles: 128,
} as const;

/** Returns the maximum of connections for a process with this limit of open files. */
export function maxConnections(openFiles: number | undefined): number {
  const { max, otherFiles } = CONNECTION_LIMITS;
  if (openFiles === undefined) return max;
  return Math.max(1, Math.min(max, Math.floor((openFiles - otherFiles) / 2)));
}

/** A connection's requests so far. */
interface Activity {
  /** Time when it was first seen, last sent a complete request, or last got a response. */
  readonly since: number;
  /** Requests, counted up to {@link IN_USE_REQUESTS}. */
  readonly requests: number;
}

/** A connection with this many requests is in use; a crowd can send one request each. */
const IN_USE_REQUESTS = 2;

/** Remembers each connection's last activity. */
export class IdleConnections {
  /** By the client's port. */
  readonly #activities = new Map<number, Activity>();

  /**
   * @param monotonic milliseconds from any origin, never going back
   * @param max maximum of open connections
   */
  constructor(private readonly monotonic: () => number, private readonly max: number) {}

  /** Records a complete request from this port; `now` is a time of `monotonic`. */
  onRequest(clientPort: number, now: number): void {
    const requests = this.#activities.get(clientPort)?.requests ?? 0;
    this.#activities.set(clientPort, {
      since: now,
      requests: Math.min(requests + 1, IN_USE_REQUESTS),
    });
  }

  /** Records a response to this port. */
  onResponse(clientPort: number, now: number): void {
    const requests = this.#activities.get(clientPort)?.requests ?? 1;
    this.#activities.set(clientPort, { since: now, requests });
  }

  /** Returns the milliseconds since the last activity of this port; Infinity if there was none. */
  idleFor(clientPort: number): number {
    return this.monotonic() - (this.#activities.get(clientPort)?.since ?? -Infinity);
  }

  /**
   * Returns which of all open connections to close. If there are too many, the one with the fewest
   * requests comes first. Of those with the same number, the one that is idle longest comes first.
   */
  overdue(open: readonly ServerConnection[]): ServerConnection[] {
    const now = this.monotonic();
    const ports = new Set(open.map(({ clientPort }) => clientPort));
    for (const port of this.#activities.keys()) if (!ports.has(port)) this.#activities.delete(port);
    const activityOf = ({ clientPort }: ServerConnection): Activity => {
      const activity = this.#activities.get(clientPort) ?? { since: now, requests: 0 };
      this.#activities.set(clientPort, activity);
      return activity;
    };
    const byActivity = open.map((connection) => ({ connection, ...activityOf(connection) }))
      .sort((a, b) => a.requests - b.requests || a.since - b.since);
    const tooMany = Math.max(0, open.length - this.max);
    return byActivity
      .filter(({ since }, i) => i < tooMany || now - since > CONNECTION_LIMITS.idle)
      .map(({ connection }) => connection);
  }
}
