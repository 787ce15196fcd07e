/**
 * Which connections are to be ended, so that clients that say nothing, or never come to an end, do not
 * use up what the process may open. Pure.
 *
 * @module
 */
import type { ServerConnection } from "./sockets.ts";

/** Limits: milliseconds and a number. */
export const CONNECTION_LIMITS = {
  /** From its beginning, or its last request, until a connection's next request is complete. */
  idle: 60_000,
  /** So many may be open; beyond, those go that have asked for nothing for longest. */
  max: 512,
  /** Files that the process needs besides. */
  otherFiles: 64,
  /** With fewer open files, a burst of connections leaves none for the service and the key. */
  minFiles: 128,
} as const;

/** How many connections may be open in a process that may open so many files. */
export function maxConnections(openFiles: number | undefined): number {
  const { max, otherFiles } = CONNECTION_LIMITS;
  if (openFiles === undefined) return max;
  return Math.max(1, Math.min(max, Math.floor((openFiles - otherFiles) / 2)));
}

/** A connection's requests so far. */
interface Activity {
  /** When it was first seen, last sent a whole request, or was last answered. */
  readonly since: number;
  /** Requests, counted up to {@link REGULAR}. */
  readonly requests: number;
}

/** A connection with this many requests is in use; a crowd can send one request each. */
const REGULAR = 2;

/** Remembers when each connection last asked for something. */
export class IdleConnections {
  /** By the client's port. */
  readonly #activities = new Map<number, Activity>();

  /**
   * @param monotonic milliseconds from any origin, never going back
   * @param most so many may be open
   */
  constructor(private readonly monotonic: () => number, private readonly max: number) {}

  /** A request came in whole from this port at this time of the steady clock. */
  requested(clientPort: number, now: number): void {
    const requests = this.#activities.get(clientPort)?.requests ?? 0;
    this.#activities.set(clientPort, { since: now, requests: Math.min(requests + 1, REGULAR) });
  }

  /** A request from this port was answered. */
  answered(clientPort: number, now: number): void {
    const requests = this.#activities.get(clientPort)?.requests ?? 1;
    this.#activities.set(clientPort, { since: now, requests });
  }

  /** Milliseconds since a request came in whole from this port; Infinity when none has. */
  idleFor(clientPort: number): number {
    return this.monotonic() - (this.#activities.get(clientPort)?.since ?? -Infinity);
  }

  /**
   * Given all open connections, those to end. If there are too many, those without a request go first,
   * then those with one, each the longest idle first.
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
