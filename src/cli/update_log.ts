/**
 * Log of `update` on standard error while it runs. It has one line for each refresh, and one for
 * each failure that differs from the last.
 *
 * @module
 */
import type { RefreshEvent } from "../credentials/refresh/refresher.ts";
import { formatTime } from "../credentials/format_time.ts";

/**
 * Creates a listener that logs refresh events.
 *
 * @param target names the profile and file in messages
 * @param info logs one line
 * @param debug logs one line with `--debug`, otherwise does nothing
 */
export function createUpdateLog(
  target: string,
  info: (message: string) => void,
  debug: (message: string) => void,
): (event: RefreshEvent) => void {
  let lastFailure = "";
  return (event) => {
    switch (event.kind) {
      case "refreshed":
        lastFailure = "";
        return info(
          `wrote ${target}, valid until ${formatTime(event.credentials.expiration)}; ` +
            `the next refresh is at ${formatTime(event.nextRefresh)}`,
        );
      case "failed": {
        const { error, credentials, nextAttempt } = event;
        const next = `the next attempt is at ${formatTime(nextAttempt)}`;
        if (error.message === lastFailure) return debug(next);
        lastFailure = error.message;
        const state = credentials
          ? `${target} stays valid until ${formatTime(credentials.expiration)}`
          : `${target} has not been renewed`;
        return info(`warning: the refresh failed: ${error.message}; ${state}; ${next}`);
      }
      case "expired":
        return info(`warning: the credentials in ${target} have expired`);
      case "clock-jump":
        return info(
          `the system clock changed by ${Math.round(event.by / 1000)} s; refresh rescheduled`,
        );
    }
  };
}
