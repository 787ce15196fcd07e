import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";

import { Refresher, type RefreshEvent } from "../../src/credentials/refresh/refresher.ts";
import { type ErrorCode, HelperError } from "../../src/errors.ts";
import type { SessionCredentials } from "../../src/rolesanywhere/create_session.ts";
import { FakeClock } from "./fake_clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A service on a fake clock, and the engine's words about it. */
class Scene {
  readonly clock = new FakeClock();
  readonly calls: number[] = [];
  readonly events: RefreshEvent[] = [];
  life = HOUR;
  failWith: ErrorCode | undefined;
  /** While set, calls are answered when it resolves. */
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
  const scene = new Scene();
  scene.failWith = "service-refused";
  const error = await assertRejects(() => scene.start(), HelperError);
  assertEquals(error.code, "service-refused");
  assertEquals([scene.clock.pending, scene.events.length], [0, 0]);
});

Deno.test("the engine renews ahead of time for a day, and never has less than 25 minutes left", async () => {
  const scene = new Scene();
  const refresher = await scene.start();
  for (let minute = 0; minute < 24 * 60; minute++) {
    await scene.clock.pass(MINUTE);
    const left = (refresher.credentials?.expiration.getTime() ?? 0) - scene.clock.now().getTime();
    assert(left >= 24 * MINUTE, `${left / MINUTE} minutes left`);
  }
  const gaps = scene.calls.slice(1).map((time, i) => time - (scene.calls[i] ?? 0));
  assert(gaps.slice(1).every((gap) => gap > 29 * MINUTE && gap < 36 * MINUTE), String(gaps));
  assertEquals(scene.maxAtOnce, 1);
  await refresher.stop();
  assertEquals(scene.clock.pending, 0);
});

Deno.test("the engine keeps what is valid while the service fails for an hour, then has none, then recovers", async () => {
  const scene = new Scene();
  scene.clock.chance = 0.999;
  const refresher = await scene.start();
  const [first] = scene.events;
  assert(first?.kind === "refreshed");
  scene.failWith = "service-unavailable";
  await scene.clock.pass(59 * MINUTE);
  assertEquals(refresher.credentials, first.credentials);
  assertGreater(refresher.state.failures, 5);
  assertEquals(refresher.state.lastError?.code, "service-unavailable");
  await scene.clock.pass(2 * MINUTE);
  assertEquals(refresher.credentials, undefined);
  assertEquals(scene.kinds().filter((kind) => kind === "expired").length, 1);
  const attempts = scene.calls.length;
  await scene.clock.pass(HOUR);
  assert(scene.calls.length - attempts <= 14, "at most one call in five minutes or so");
  scene.failWith = undefined;
  await scene.clock.pass(6 * MINUTE);
  assertEquals(refresher.credentials?.accessKeyId, `ASIA${scene.calls.length}`);
  assertEquals(refresher.state.failures, 0);
  assertEquals(refresher.state.lastError, undefined);
  await refresher.stop();
});

Deno.test("the engine asks seldom when the service refuses", async () => {
  const scene = new Scene();
  const refresher = await scene.start();
  scene.failWith = "service-refused";
  await scene.clock.pass(5 * HOUR);
  assert(scene.calls.length >= 9 && scene.calls.length <= 12, String(scene.calls.length));
  await refresher.stop();
});

Deno.test("the engine makes one call at a time while the service hangs, and stop() waits for it", async () => {
  const scene = new Scene();
  const refresher = await scene.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  scene.hang = promise;
  await scene.clock.pass(40 * MINUTE);
  const both = [refresher.refresh(), refresher.refresh()];
  await scene.clock.pass(40 * MINUTE);
  assertEquals([scene.calls.length, scene.maxAtOnce], [2, 1]);
  assertEquals(refresher.credentials, undefined);
  let stopped = false;
  const stopping = refresher.stop().then(() => stopped = true);
  await scene.clock.pass(MINUTE);
  assertEquals(stopped, false);
  resolve();
  await Promise.all([...both, stopping]);
  assertEquals(refresher.credentials?.accessKeyId, "ASIA2");
  assertEquals(scene.clock.pending, 0);
});

Deno.test("the engine renews at once when the machine has slept through the renewal", async () => {
  const scene = new Scene();
  const refresher = await scene.start();
  scene.clock.jump(8 * HOUR);
  await scene.clock.pass(31_000);
  assertEquals(scene.calls.length, 2);
  assertEquals(scene.kinds(), ["refreshed", "clock-jump", "expired", "refreshed"]);
  assertEquals(refresher.credentials?.accessKeyId, "ASIA2");
  await refresher.stop();
});

Deno.test("the engine does not take credentials for longer-lived when the clock is set back", async () => {
  const scene = new Scene();
  const refresher = await scene.start();
  scene.failWith = "network";
  scene.clock.jump(-12 * HOUR);
  await scene.clock.pass(61 * MINUTE);
  assertEquals(refresher.credentials, undefined);
  assertLess(scene.calls[1] ?? Infinity, 36 * MINUTE);
  await refresher.stop();
});

Deno.test("start() throws session-expired when the first session is over as it comes", async () => {
  const scene = new Scene();
  scene.life = 0;
  const error = await assertRejects(() => scene.start(), HelperError);
  assertEquals([error.code, error.exitCode, scene.clock.pending], ["session-expired", 5, 0]);
});

Deno.test("the engine backs off as after failures when sessions are over as they come", async () => {
  const expired = new Scene();
  const failing = new Scene();
  const refreshers = [await expired.start(), await failing.start()];
  expired.life = -1;
  failing.failWith = "network";
  for (const { clock } of [expired, failing]) await clock.pass(HOUR);
  assertEquals(expired.calls, failing.calls);
  assertLess(expired.calls.length, 40);
  const failure = expired.events.findLast(({ kind }) => kind === "failed");
  assertEquals(failure?.kind === "failed" && failure.error.code, "session-expired");
  // What is still valid is kept.
  assertEquals(expired.events.find(({ kind }) => kind === "failed")?.kind, "failed");
  expired.life = HOUR;
  await expired.clock.pass(6 * MINUTE);
  assertEquals([refreshers[0]?.state.failures, expired.kinds().at(-1)], [0, "refreshed"]);
  for (const refresher of refreshers) await refresher.stop();
});

for (const life of [1, 100, 2_000, 9_999]) {
  Deno.test(`the engine does not ask without end for sessions of ${life} ms`, async () => {
    const scene = new Scene();
    scene.life = life;
    const refresher = await scene.start();
    await scene.clock.pass(10 * MINUTE);
    assertLess(scene.calls.length, 10 + 10 * 60 / 5 + 2);
    await refresher.stop();
  });
}

Deno.test("the engine reports a fault of the program as internal and goes on", async () => {
  const scene = new Scene();
  const refresher = await scene.start();
  scene.hang = Promise.reject(new TypeError("secret text"));
  await scene.clock.pass(40 * MINUTE);
  const failure = scene.events.find((event) => event.kind === "failed");
  assert(failure?.kind === "failed");
  assertEquals(failure.error.code, "internal");
  assertEquals(failure.error.message.includes("secret"), false);
  scene.hang = undefined;
  await scene.clock.pass(6 * MINUTE);
  assertEquals(refresher.state.failures, 0);
  await refresher.stop();
});
