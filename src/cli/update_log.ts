/**
 * What `update` tells on standard error while it stays: one line a refresh, and one a failure that is
 * another than the one before.
 *
 * @module
 */
import type { RefreshEvent } from "../credentials/refresh/refresher.ts";
import { formatTime } from "../credentials/refresh/session.ts";

/**
 * What tells of events.
 *
 * @param place how messages name what is written
 * @param say writes one line for people
 * @param debug writes one line of detail; does nothing without `--debug`
 */
export function updateLog(
  place: string,
  say: (words: string) => void,
  debug: (words: string) => void,
): (event: RefreshEvent) => void {
  let failing = "";
  return (event) => {
    switch (event.kind) {
      case "refreshed":
        failing = "";
        return say(
          `wrote ${place}, valid until ${formatTime(event.credentials.expiration)}; ` +
            `the next refresh is at ${formatTime(event.nextRefresh)}`,
        );
      case "failed": {
        const { error, credentials, nextAttempt } = event;
        const next = `the next attempt is at ${formatTime(nextAttempt)}`;
        if (error.message === failing) return debug(next);
        failing = error.message;
        const state = credentials
          ? `${place} stays valid until ${formatTime(credentials.expiration)}`
          : `${place} has not been renewed`;
        return say(`warning: the refresh failed: ${error.message}; ${state}; ${next}`);
      }
      case "expired":
        return say(`warning: the credentials in ${place} have expired`);
      case "clock-jump":
        return say(
          `the clock moved by ${Math.round(event.by / 1000)} s; the refresh follows it`,
        );
    }
  };
}
