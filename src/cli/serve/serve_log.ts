/**
 * Log of `serve` on standard error: one line for each refresh and each change of state. `--debug`
 * adds every event and every request as JSON.
 *
 * @module
 */
import type { RefreshEvent } from "../../credentials/refresh/refresher.ts";
import { formatTime } from "../../credentials/format_time.ts";
import type { AccessEntry } from "../../imds/endpoint.ts";

/** Log of refresh events and requests. */
export interface ServeLog {
  /** @param role name of the role, if there are several */
  refresh(event: RefreshEvent, role?: string): void;
  access(entry: AccessEntry): void;
}

/**
 * Creates the log.
 *
 * @param info logs one line
 * @param debug logs one line with `--debug`, otherwise does nothing
 */
export function createServeLog(
  info: (message: string) => void,
  debug: (message: string) => void,
): ServeLog {
  const lastFailures = new Map<string | undefined, string>();
  return {
    access: (entry) => {
      const milliseconds = Number(entry.milliseconds.toFixed(2));
      debug(JSON.stringify({ event: "request", ...entry, milliseconds }));
    },
    refresh: (event, role) => {
      debug(JSON.stringify({ ...(role === undefined ? {} : { role }), ...eventFields(event) }));
      // A repeated failure is logged with --debug only.
      const failure = event.kind === "failed" ? event.error.message : "";
      if (event.kind === "failed" && failure === lastFailures.get(role)) return;
      if (event.kind !== "expired") lastFailures.set(role, failure);
      info(formatEvent(event, role));
    },
  };
}

function formatEvent(event: RefreshEvent, name: string | undefined): string {
  const role = name === undefined ? "" : `role "${name}": `;
  switch (event.kind) {
    case "refreshed":
      return `${role}credentials are valid until ${formatTime(event.credentials.expiration)}; ` +
        `the next refresh is at ${formatTime(event.nextRefresh)}`;
    case "failed": {
      const { error, credentials, nextAttempt } = event;
      const state = credentials
        ? `the credentials are valid until ${formatTime(credentials.expiration)}`
        : "there are no valid credentials";
      return `warning: ${role}the refresh failed: ${error.message}; ${state}; ` +
        `the next attempt is at ${formatTime(nextAttempt)}`;
    }
    case "expired":
      return `warning: ${role}the credentials have expired; clients get HTTP 500 until a ` +
        "refresh succeeds";
    case "clock-jump":
      return `${role}the system clock changed by ${
        Math.round(event.by / 1000)
      } s; refresh rescheduled`;
  }
}

/** Returns an event's fields for the debug log, without secrets. */
function eventFields(event: RefreshEvent): Record<string, unknown> {
  switch (event.kind) {
    case "refreshed":
      return {
        event: event.kind,
        expiration: formatTime(event.credentials.expiration),
        nextRefresh: formatTime(event.nextRefresh),
      };
    case "failed":
      return {
        event: event.kind,
        code: event.error.code,
        message: event.error.message,
        failures: event.failures,
        nextAttempt: formatTime(event.nextAttempt),
        expiration: event.credentials ? formatTime(event.credentials.expiration) : null,
      };
    case "expired":
      return { event: event.kind };
    case "clock-jump":
      return { event: event.kind, milliseconds: Math.round(event.by) };
  }
}
