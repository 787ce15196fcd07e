/**
 * Log of `serve` on standard error: one line for each refresh and each change of state. `--debug`
 * adds every event and every request as JSON.
 *
 * @module
 */
import type { RefreshEvent } from "../credentials/refresh/refresher.ts";
import { formatTime } from "../credentials/refresh/session.ts";
import type { AccessEntry } from "../imds/app.ts";

/** Log of refresh events and requests. */
export interface ServeLog {
  refresh(event: RefreshEvent): void;
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
  let lastFailure = "";
  return {
    access: (entry) => {
      const milliseconds = Number(entry.milliseconds.toFixed(2));
      debug(JSON.stringify({ event: "request", ...entry, milliseconds }));
    },
    refresh: (event) => {
      debug(JSON.stringify(eventFields(event)));
      // A repeated failure is logged with --debug only.
      const failure = event.kind === "failed" ? event.error.message : "";
      if (event.kind === "failed" && failure === lastFailure) return;
      if (event.kind !== "expired") lastFailure = failure;
      info(formatEvent(event));
    },
  };
}

function formatEvent(event: RefreshEvent): string {
  switch (event.kind) {
    case "refreshed":
      return `credentials are valid until ${formatTime(event.credentials.expiration)}; ` +
        `the next refresh is at ${formatTime(event.nextRefresh)}`;
    case "failed": {
      const { error, credentials, nextAttempt } = event;
      const state = credentials
        ? `the credentials are valid until ${formatTime(credentials.expiration)}`
        : "there are no valid credentials";
      return `warning: the refresh failed: ${error.message}; ${state}; ` +
        `the next attempt is at ${formatTime(nextAttempt)}`;
    }
    case "expired":
      return "warning: the credentials have expired; clients get HTTP 500 until a " +
        "refresh succeeds";
    case "clock-jump":
      return `the system clock changed by ${Math.round(event.by / 1000)} s; refresh rescheduled`;
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
