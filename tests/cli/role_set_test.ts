import { assertEquals, assertRejects } from "@std/assert";

import { FlagValues } from "../../src/cli/flags/flag_values.ts";
import { PendingCall } from "../../src/cli/roles/pending_call.ts";
import type { RoleSettings } from "../../src/cli/roles/role_settings.ts";
import { RoleSet } from "../../src/cli/roles/role_set.ts";
import { HelperError } from "../../src/errors.ts";
import { parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import type { SessionCredentials } from "../../src/rolesanywhere/create_session.ts";
import { FakeClock } from "../credentials/fake_clock.ts";
import { ARNS } from "../support/session_scenario.ts";

const values = new FlagValues("sign-string", new Map([["certificate", "c"]]), () => undefined);

function settings(name: string, arn: string, ...users: readonly number[]): RoleSettings {
  const arns = parseSessionArns({ ...ARNS, role: `arn:aws:iam::123456789012:role/${arn}` });
  return {
    name,
    label: `role "${name}"`,
    values,
    request: { endpoint: new URL("https://x.invalid"), region: "r", arns, durationSeconds: 900 },
    ...(users.length > 0 ? { users: users.map((id) => ({ id, name: String(id) })) } : {}),
  };
}

/** Service whose responses wait until the test lets them come, if `waits`. */
class Service {
  readonly clock = new FakeClock();
  readonly events: string[] = [];
  readonly refused = new Set<string>();
  waits: Promise<void> | undefined;

  async start(...roles: readonly RoleSettings[]): Promise<RoleSet> {
    return await RoleSet.start(roles, {
      fetch: (role) => this.#fetch(role),
      refresh: this.clock,
      onRefresh: ({ name }, { kind }) => this.events.push(`${name} ${kind}`),
      randomBytes: (length) => new Uint8Array(length),
      warn: () => {},
    });
  }

  /** Returns the roles with the ARN of their credentials. */
  served({ roles }: RoleSet): Record<string, string | undefined> {
    const now = this.clock.monotonic();
    return Object.fromEntries(
      roles.map((role) => [role.name, role.credentials(now)?.accessKeyId]),
    );
  }

  async #fetch({ request }: RoleSettings): Promise<SessionCredentials> {
    await this.waits;
    const { resource } = request.arns.role;
    if (this.refused.has(resource)) throw new HelperError("service-refused", "no");
    return {
      accessKeyId: resource,
      secretAccessKey: "s",
      sessionToken: "t",
      expiration: new Date(this.clock.now().getTime() + 3_600_000),
    };
  }
}

Deno.test("a changed role is served with its last session until the new one is there", async () => {
  const service = new Service();
  const set = await service.start(settings("a", "one", 1), settings("b", "two", 2));
  const gate = Promise.withResolvers<void>();
  service.waits = gate.promise;
  const changes = set.change([settings("a", "new", 1), settings("b", "new", 3)]);
  assertEquals(changes.changed, ["a", "b"]);
  // The second one has other users: they do not get the role that others had.
  assertEquals(service.served(set), { a: "role/one", b: undefined });
  assertEquals(set.table.byUser.get(2), undefined);
  gate.resolve();
  await changes.tried;
  assertEquals(service.served(set), { a: "role/new", b: "role/new" });
  await set.stop();
  assertEquals(service.clock.pending, 0);
});

Deno.test("changes while a change is under way leave one session for each role", async () => {
  const service = new Service();
  const set = await service.start(settings("a", "one"));
  const gate = Promise.withResolvers<void>();
  service.waits = gate.promise;
  const first = set.change([settings("a", "two")]);
  const second = set.change([settings("a", "three"), settings("b", "four", 1)]);
  assertEquals(service.served(set), { a: "role/one", b: undefined });
  set.change([settings("a", "three")]);
  gate.resolve();
  await Promise.all([first.tried, second.tried]);
  assertEquals(service.served(set), { a: "role/three" });
  assertEquals(service.clock.pending, 1);
  assertEquals(service.events, ["a refreshed", "a refreshed"]);
  await set.stop();
  assertEquals(service.clock.pending, 0);
});

Deno.test("a role that fails is retried, also by a change that keeps it", async () => {
  const service = new Service();
  service.refused.add("role/two");
  const roles = [settings("a", "one"), settings("b", "two", 1)];
  const set = await service.start(...roles);
  assertEquals(service.events, ["a refreshed", "b failed"]);
  const [, { lastError } = {}] = set.roles.map((role) => role.state());
  assertEquals(lastError, { code: "service-refused", failures: 1 });
  service.refused.clear();
  const { kept, tried } = set.change(roles);
  await tried;
  assertEquals([kept, service.served(set)], [["a", "b"], { a: "role/one", b: "role/two" }]);
  service.refused.add("role/one");
  await service.clock.pass(40 * 60_000);
  assertEquals(service.served(set), { a: "role/one", b: "role/two" });
  await service.clock.pass(40 * 60_000);
  assertEquals(service.served(set), { a: undefined, b: "role/two" });
  await set.stop();
});

Deno.test("the start fails with the first role's error if all fail, and leaves no timer", async () => {
  const service = new Service();
  service.refused.add("role/one").add("role/two");
  const error = await assertRejects(
    () => service.start(settings("a", "one"), settings("b", "two")),
    HelperError,
    'all 2 roles failed; role "a": no',
  );
  assertEquals([error.code, service.events], ["service-refused", []]);
  await service.clock.pass(0);
  assertEquals(service.clock.pending, 0);
});

Deno.test("PendingCall runs once at a time, and once more for requests meanwhile", async () => {
  const call = new PendingCall();
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  call.request();
  call.request();
  call.start(async () => {
    runs += 1;
    await gate.promise;
  });
  for (let i = 0; i < 5; i++) call.request();
  assertEquals(runs, 1);
  gate.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(runs, 2);
  call.request();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(runs, 3);
});
