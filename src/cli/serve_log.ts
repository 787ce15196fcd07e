/**
 * What `serve` tells on standard error: one line a refresh and one a change of state; with `--debug`
 * every event and every request, as JSON.
 *
 * @module
 */
import type { RefreshEvent } from "../credentials/refresh/refresher.ts";
import { formatTime } from "../credentials/refresh/session.ts";
import type { AccessEntry } from "../imds/app.ts";

/** What tells of events. */
export interface ServeLog {
  refresh(event: RefreshEvent): void;
  access(entry: AccessEntry): void;
}

/**
 * @param say writes one line for people
 * @param debug writes one line of detail; does nothing without `--debug`
 */
export function serveLog(say: (words: string) => void, debug: (words: string) => void): ServeLog {
  let failing = "";
  return {
    access: (entry) => {
      const milliseconds = Number(entry.milliseconds.toFixed(2));
      debug(JSON.stringify({ event: "request", ...entry, milliseconds }));
    },
    refresh: (event) => {
      debug(JSON.stringify(described(event)));
      // The same failure again is told under --debug alone.
      const failure = event.kind === "failed" ? event.error.message : "";
      if (event.kind === "failed" && failure === failing) return;
      if (event.kind !== "expired") failing = failure;
      say(sentence(event));
    },
  };
}

function sentence(event: RefreshEvent): string {
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
      return "warning: the credentials have expired; requests are answered with 500 until a " +
        "refresh succeeds";
    case "clock-jump":
      return `the clock moved by ${Math.round(event.by / 1000)} s; the refresh follows it`;
  }
}

/** An event's facts, without a secret. */
function described(event: RefreshEvent): Record<string, unknown> {
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
