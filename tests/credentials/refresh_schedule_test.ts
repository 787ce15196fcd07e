import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";

import {
  backoffDelay,
  REFRESH_LIMITS,
  renewalDelay,
} from "../../src/credentials/refresh/refresh_schedule.ts";
import { seededRandom } from "../x509/seeded_random.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ALMOST_ONE = 1 - Number.EPSILON;

for (const life of [15, 30, 40, 50, 60, 90, 720].map((minutes) => minutes * MINUTE)) {
  Deno.test(`renewalDelay() leaves enough time for SDKs and retries if a session lasts ${life / MINUTE} minutes`, () => {
    for (const first of [true, false]) {
      for (const random of [0, 0.5, ALMOST_ONE]) {
        const delay = renewalDelay(life, first, random);
        assertGreaterOrEqual(delay, 0);
        const remaining = life - delay;
        const wanted = life > 2 * REFRESH_LIMITS.remaining ? REFRESH_LIMITS.remaining : life / 2;
        assertGreaterOrEqual(remaining, wanted - 1);
      }
    }
    assertLess(renewalDelay(life, true, 0), renewalDelay(life, true, ALMOST_ONE));
    assertLess(renewalDelay(life, false, 0), renewalDelay(life, false, ALMOST_ONE));
    assertLess(renewalDelay(life, true, 0), renewalDelay(life, false, 0) / 2);
  });
}

Deno.test("renewalDelay() ends before botocore warns, with five minutes for retries, when a session lasts an hour", () => {
  assertEquals(HOUR - renewalDelay(HOUR, false, ALMOST_ONE) >= 20 * MINUTE + 5 * MINUTE - 1, true);
});

Deno.test("backoffDelay() doubles from a second to five minutes with full jitter", () => {
  const max = (failures: number) => backoffDelay(failures, "network", ALMOST_ONE);
  assertEquals([1, 2, 3, 4].map((n) => Math.round(max(n))), [1000, 2000, 4000, 8000]);
  for (const failures of [10, 100, 1e9]) {
    assertEquals(Math.round(max(failures)), 5 * MINUTE);
    assertEquals(backoffDelay(failures, "network", 0), 0);
  }
});

Deno.test("backoffDelay() is about half an hour after a refusal of the service", () => {
  for (const random of [0, 0.5, ALMOST_ONE]) {
    const delay = backoffDelay(1, "service-refused", random);
    assert(delay >= 27 * MINUTE - 1 && delay <= 33 * MINUTE + 1);
  }
});

Deno.test("a fleet of 10,000 that starts in one second does not call together over a day", async (t) => {
  const random = seededRandom(20260101);
  const chance = () => random(2 ** 31) / 2 ** 31;
  const helpers = 10_000;
  const callsPerMinute = new Uint32Array(24 * 60);
  for (let helper = 0; helper < helpers; helper++) {
    let time = chance() * 1000;
    for (let first = true; time < 24 * HOUR; first = false) {
      const minute = Math.floor(time / MINUTE);
      callsPerMinute[minute] = (callsPerMinute[minute] ?? 0) + 1;
      time += renewalDelay(HOUR, first, chance());
    }
  }
  const later = callsPerMinute.slice(60);
  const average = later.reduce((sum, calls) => sum + calls, 0) / later.length;
  const peak = Math.max(...later);
  // The name of the step contains the figure, so that every run shows it.
  const figures = `peak ${peak} calls a minute, average ${average.toFixed(0)}, ratio ${
    (peak / average).toFixed(2)
  }`;
  await t.step(`one-hour sessions, after the first hour: ${figures}`, () => {
    assertLessOrEqual(peak / average, 2);
  });
  // Apart from the starts, the first hour is not worse.
  assertLessOrEqual(Math.max(...callsPerMinute.slice(1, 60)) / average, 2);
});
