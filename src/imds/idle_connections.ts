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
  most: 512,
  /** Files that the process needs besides. */
  otherFiles: 64,
} as const;

/** How many connections may be open in a process that may open so many files. */
export function mostConnections(openFiles: number | undefined): number {
  const { most, otherFiles } = CONNECTION_LIMITS;
  if (openFiles === undefined) return most;
  return Math.max(1, Math.min(most, Math.floor((openFiles - otherFiles) / 2)));
}

/** Remembers when each connection last asked for something. */
export class IdleConnections {
  /** By the client's port. */
  readonly #lastActive = new Map<number, number>();

  /**
   * @param monotonic milliseconds from any origin, never going back
   * @param most so many may be open
   */
  constructor(private readonly monotonic: () => number, private readonly most: number) {}

  /** A request came in whole from this port, or was answered, at this time of the steady clock. */
  requested(clientPort: number, now: number): void {
    this.#lastActive.set(clientPort, now);
  }

  /** Milliseconds since a request came in whole from this port; Infinity when none has. */
  idleFor(clientPort: number): number {
    return this.monotonic() - (this.#lastActive.get(clientPort) ?? -Infinity);
  }

  /** Given all open connections, those to end. */
  overdue(open: readonly ServerConnection[]): ServerConnection[] {
    const now = this.monotonic();
    const ports = new Set(open.map(({ clientPort }) => clientPort));
    for (const port of this.#lastActive.keys()) if (!ports.has(port)) this.#lastActive.delete(port);
    const active = (connection: ServerConnection): number => {
      const known = this.#lastActive.get(connection.clientPort);
      if (known === undefined) this.#lastActive.set(connection.clientPort, now);
      return known ?? now;
    };
    const byActivity = open.map((connection) => ({ connection, since: active(connection) }))
      .sort((a, b) => a.since - b.since);
    const tooMany = Math.max(0, open.length - this.most);
    return byActivity
      .filter(({ since }, i) => i < tooMany || now - since > CONNECTION_LIMITS.idle)
      .map(({ connection }) => connection);
  }
}
