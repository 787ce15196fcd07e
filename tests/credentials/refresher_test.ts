import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";

import { Refresher, type RefreshEvent } from "../../src/credentials/refresh/refresher.ts";
import { type ErrorCode, HelperError } from "../../src/errors.ts";
import type { SessionCredentials } from "../../src/rolesanywhere/create_session.ts";
import { FakeClock } from "./fake_clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Service on a fake clock, with the refresher's events. */
class RefresherFixture {
  readonly clock = new FakeClock();
  readonly calls: number[] = [];
  readonly events: RefreshEvent[] = [];
  life = HOUR;
  failWith: ErrorCode | undefined;
  /** While set, responses wait until it resolves. */
  hang: Promise<void> | undefined;
  atOnce = 0;
  maxAtOnce = 0;

  async start(): Promise<Refresher> {
    return await Refresher.start(
      () => this.#fetch(),
      this.clock,
      (event) => this.events.push(event),
    );
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  async #fetch(): Promise<SessionCredentials> {
    this.calls.push(this.clock.monotonic());
    this.maxAtOnce = Math.max(this.maxAtOnce, ++this.atOnce);
    try {
      await this.hang;
      if (this.failWith) throw new HelperError(this.failWith, "it fails");
      return {
        accessKeyId: `ASIA${this.calls.length}`,
        secretAccessKey: "secret",
        sessionToken: "token",
        expiration: new Date(this.clock.now().getTime() + this.life),
      };
    } finally {
      this.atOnce--;
    }
  }
}

Deno.test("start() throws the first failure and sets no timer", async () => {
  const fixture = new RefresherFixture();
  fixture.failWith = "service-refused";
  const error = await assertRejects(() => fixture.start(), HelperError);
  assertEquals(error.code, "service-refused");
  assertEquals([fixture.clock.pending, fixture.events.length], [0, 0]);
});

Deno.test("the refresher renews early for a day, and never has less than 25 minutes left", async () => {
  const fixture = new RefresherFixture();
  const refresher = await fixture.start();
  for (let minute = 0; minute < 24 * 60; minute++) {
    await fixture.clock.pass(MINUTE);
    const left = (refresher.credentials?.expiration.getTime() ?? 0) - fixture.clock.now().getTime();
    assert(left >= 24 * MINUTE, `${left / MINUTE} minutes left`);
  }
  const gaps = fixture.calls.slice(1).map((time, i) => time - (fixture.calls[i] ?? 0));
  assert(gaps.slice(1).every((gap) => gap > 29 * MINUTE && gap < 36 * MINUTE), String(gaps));
  assertEquals(fixture.maxAtOnce, 1);
  await refresher.stop();
  assertEquals(fixture.clock.pending, 0);
});

Deno.test("the refresher keeps valid credentials while the service fails for an hour, then has none, then recovers", async () => {
  const fixture = new RefresherFixture();
  fixture.clock.chance = 0.999;
  const refresher = await fixture.start();
  const [first] = fixture.events;
  assert(first?.kind === "refreshed");
  fixture.failWith = "service-unavailable";
  await fixture.clock.pass(59 * MINUTE);
  assertEquals(refresher.credentials, first.credentials);
  assertGreater(refresher.state.failures, 5);
  assertEquals(refresher.state.lastError?.code, "service-unavailable");
  await fixture.clock.pass(2 * MINUTE);
  assertEquals(refresher.credentials, undefined);
  assertEquals(fixture.kinds().filter((kind) => kind === "expired").length, 1);
  const attempts = fixture.calls.length;
  await fixture.clock.pass(HOUR);
  assert(fixture.calls.length - attempts <= 14, "at most one call in five minutes or so");
  fixture.failWith = undefined;
  await fixture.clock.pass(6 * MINUTE);
  assertEquals(refresher.credentials?.accessKeyId, `ASIA${fixture.calls.length}`);
  assertEquals(refresher.state.failures, 0);
  assertEquals(refresher.state.lastError, undefined);
  await refresher.stop();
});

Deno.test("the refresher retries rarely after a refusal of the service", async () => {
  const fixture = new RefresherFixture();
  const refresher = await fixture.start();
  fixture.failWith = "service-refused";
  await fixture.clock.pass(5 * HOUR);
  assert(fixture.calls.length >= 9 && fixture.calls.length <= 12, String(fixture.calls.length));
  await refresher.stop();
});

Deno.test("the refresher makes one call at a time while the service hangs, and stop() waits for it", async () => {
  const fixture = new RefresherFixture();
  const refresher = await fixture.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  fixture.hang = promise;
  await fixture.clock.pass(40 * MINUTE);
  const both = [refresher.refresh(), refresher.refresh()];
  await fixture.clock.pass(40 * MINUTE);
  assertEquals([fixture.calls.length, fixture.maxAtOnce], [2, 1]);
  assertEquals(refresher.credentials, undefined);
  assertEquals(fixture.kinds(), ["refreshed", "expired"]);
  let stopped = false;
  const stopping = refresher.stop().then(() => stopped = true);
  await fixture.clock.pass(MINUTE);
  assertEquals(stopped, false);
  resolve();
  await Promise.all([...both, stopping]);
  assertEquals(refresher.credentials?.accessKeyId, "ASIA2");
  assertEquals(fixture.clock.pending, 0);
});

Deno.test("the refresher renews at once if the machine slept through the renewal", async () => {
  const fixture = new RefresherFixture();
  const refresher = await fixture.start();
  fixture.clock.jump(8 * HOUR);
  await fixture.clock.pass(31_000);
  assertEquals(fixture.calls.length, 2);
  assertEquals(fixture.kinds(), ["refreshed", "clock-jump", "expired", "refreshed"]);
  assertEquals(refresher.credentials?.accessKeyId, "ASIA2");
  await refresher.stop();
});

Deno.test("the refresher does not extend credentials if the clock is set back", async () => {
  const fixture = new RefresherFixture();
  const refresher = await fixture.start();
  fixture.failWith = "network";
  fixture.clock.jump(-12 * HOUR);
  await fixture.clock.pass(61 * MINUTE);
  assertEquals(refresher.credentials, undefined);
  assertLess(fixture.calls[1] ?? Infinity, 36 * MINUTE);
  await refresher.stop();
});

Deno.test("start() throws session-expired if the first session has expired on arrival", async () => {
  const fixture = new RefresherFixture();
  fixture.life = 0;
  const error = await assertRejects(() => fixture.start(), HelperError);
  assertEquals([error.code, error.exitCode, fixture.clock.pending], ["session-expired", 5, 0]);
});

Deno.test("the refresher backs off if sessions have expired on arrival", async () => {
  const expired = new RefresherFixture();
  const failing = new RefresherFixture();
  const refreshers = [await expired.start(), await failing.start()];
  expired.life = -1;
  failing.failWith = "network";
  for (const { clock } of [expired, failing]) await clock.pass(HOUR);
  assertEquals(expired.calls, failing.calls);
  assertLess(expired.calls.length, 40);
  const failure = expired.events.findLast(({ kind }) => kind === "failed");
  assertEquals(failure?.kind === "failed" && failure.error.code, "session-expired");
  // The credentials that are still valid are kept.
  assertEquals(expired.events.find(({ kind }) => kind === "failed")?.kind, "failed");
  expired.life = HOUR;
  await expired.clock.pass(6 * MINUTE);
  assertEquals([refreshers[0]?.state.failures, expired.kinds().at(-1)], [0, "refreshed"]);
  for (const refresher of refreshers) await refresher.stop();
});

for (const life of [1, 100, 2_000, 9_999]) {
  Deno.test(`the refresher limits its calls for sessions of ${life} ms`, async () => {
    const fixture = new RefresherFixture();
    fixture.life = life;
    const refresher = await fixture.start();
    await fixture.clock.pass(10 * MINUTE);
    assertLess(fixture.calls.length, 10 + 10 * 60 / 5 + 2);
    await refresher.stop();
  });
}

Deno.test("the refresher reports a fault of the program as internal and continues", async () => {
  const fixture = new RefresherFixture();
  const refresher = await fixture.start();
  fixture.hang = Promise.reject(new TypeError("secret text"));
  await fixture.clock.pass(40 * MINUTE);
  const failure = fixture.events.find((event) => event.kind === "failed");
  assert(failure?.kind === "failed");
  assertEquals(failure.error.code, "internal");
  assertEquals(failure.error.message.includes("secret"), false);
  fixture.hang = undefined;
  await fixture.clock.pass(6 * MINUTE);
  assertEquals(refresher.state.failures, 0);
  await refresher.stop();
});
