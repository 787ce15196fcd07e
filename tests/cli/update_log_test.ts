import { assertEquals } from "@std/assert";

import { createUpdateLog } from "../../src/cli/update_log.ts";
import type { RefreshEvent } from "../../src/credentials/refresh/refresher.ts";
import { HelperError } from "../../src/errors.ts";

const time = (minutes: number) => new Date(Date.UTC(2026, 0, 1, 0, minutes));

const CREDENTIALS = {
  accessKeyId: "ID",
  secretAccessKey: "SECRET",
  sessionToken: "TOKEN",
  expiration: time(60),
};

const REFRESHED: RefreshEvent = {
  kind: "refreshed",
  credentials: CREDENTIALS,
  nextRefresh: time(30),
};

const failed = (message: string, valid: boolean, minutes: number): RefreshEvent => ({
  kind: "failed",
  error: new HelperError("network", message),
  failures: 1,
  nextAttempt: time(minutes),
  credentials: valid ? CREDENTIALS : undefined,
});

Deno.test("createUpdateLog() logs each refresh and each change of state once, without secrets", () => {
  const logged: string[] = [];
  const debug: string[] = [];
  const log = createUpdateLog(
    "[p] of FILE",
    (message) => logged.push(message),
    (message) => debug.push(message),
  );
  const events: RefreshEvent[] = [
    REFRESHED,
    failed("it broke", true, 31),
    failed("it broke", true, 32),
    failed("it is gone", true, 33),
    { kind: "expired" },
    failed("it is gone", false, 61),
    { kind: "clock-jump", by: -3_600_400 },
    REFRESHED,
    failed("it is gone", false, 62),
  ];
  events.forEach(log);
  const wrote = "wrote [p] of FILE, valid until 2026-01-01T01:00:00Z; " +
    "the next refresh is at 2026-01-01T00:30:00Z";
  const valid = "[p] of FILE stays valid until 2026-01-01T01:00:00Z";
  assertEquals(logged, [
    wrote,
    `warning: the refresh failed: it broke; ${valid}; the next attempt is at 2026-01-01T00:31:00Z`,
    `warning: the refresh failed: it is gone; ${valid}; the next attempt is at 2026-01-01T00:33:00Z`,
    "warning: the credentials in [p] of FILE have expired",
    "the system clock changed by -3600 s; refresh rescheduled",
    wrote,
    "warning: the refresh failed: it is gone; [p] of FILE has not been renewed; " +
    "the next attempt is at 2026-01-01T01:02:00Z",
  ]);
  assertEquals(debug, [
    "the next attempt is at 2026-01-01T00:32:00Z",
    "the next attempt is at 2026-01-01T01:01:00Z",
  ]);
});
