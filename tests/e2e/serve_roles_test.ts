/** `serve --roles`: users of this machine, made by the test, get different roles from one process. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { type Need, testWith } from "../support/needs.ts";
import { commandAsOther, giveToOther, OtherUser } from "../support/other_user.ts";
import {
  type Address,
  ask,
  flagsWithoutRole,
  type RawRequest,
  type RawResponse,
  type Role,
  roleArn,
  roleOf,
  RolesServe,
  SYSTEM_PYTHON,
  writeRoles,
} from "../support/roles_scenario.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { type SystemUser, SystemUsers } from "../support/system_users.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const USERS: readonly Need[] = [
  ...["linux", "binary", "root", "other-user"] as const,
  ...["program:/usr/sbin/useradd", `program:${SYSTEM_PYTHON}`] as const,
];
const TOKEN = "x-aws-ec2-metadata-token";
const ROLES = "/latest/meta-data/iam/security-credentials";
const REFUSED_PROFILE = ARNS.profile.replace("demo", "refused");
const NO_ROLE = "this user has no role; add it to users in the file of --roles";

const tokenRequest: RawRequest = {
  method: "PUT",
  path: "/latest/api/token",
  headers: { [`${TOKEN}-ttl-seconds`]: "600" },
};

/** A `serve --roles`, the users, and a folder that they can enter. */
class Scene implements AsyncDisposable {
  readonly file: string;
  readonly #directory = new TemporaryDirectory();
  serve: RolesServe | undefined;

  private constructor(readonly scenario: SessionScenario, readonly users: SystemUsers) {
    Deno.chmodSync(this.#directory.path, 0o755);
    this.file = this.path("roles.json");
  }

  static async create(): Promise<Scene> {
    const scenario = await SessionScenario.create();
    scenario.emulator.refusedProfiles.add(REFUSED_PROFILE);
    return new Scene(scenario, await SystemUsers.create());
  }

  path(name: string): string {
    return this.#directory.join(name);
  }

  async start(
    roles: readonly Role[],
    options: Parameters<typeof RolesServe.start>[3] = {},
  ): Promise<RolesServe> {
    this.serve = await RolesServe.start(this.scenario, this.file, roles, options);
    return this.serve;
  }

  get address(): Address {
    return this.serve?.address ?? "";
  }

  async token(user: SystemUser | undefined): Promise<string> {
    const [issued] = await ask(user, this.address, [tokenRequest]);
    assertEquals(issued?.status, 200, issued?.body);
    return issued?.body ?? "";
  }

  /** Requests a path with this token, or a new one. */
  async get(user: SystemUser | undefined, path: string, token?: string): Promise<RawResponse> {
    const headers = { [TOKEN]: token ?? await this.token(user) };
    const [response] = await ask(user, this.address, [{ path, headers }]);
    return response ?? { status: 0, body: "" };
  }

  /** Returns the ARN of the role whose credentials the user gets by the alias. */
  async roleArn(user: SystemUser | undefined): Promise<string | undefined> {
    const { status, body } = await this.get(user, `${ROLES}/default`);
    return status === 200 ? this.ownerOf(body) : `${status} ${body}`;
  }

  /** Returns the ARN of the role of a document with credentials. */
  ownerOf(body: string): string | undefined {
    const key: unknown = JSON.parse(body).AccessKeyId;
    return this.scenario.emulator.sessions
      .find(({ credentials }) => credentials.accessKeyId === key)?.roleArn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.serve?.[Symbol.asyncDispose]();
    await this.users[Symbol.asyncDispose]();
    await this.scenario[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }
}

const BINDS: Readonly<Record<string, readonly Need[]>> = {
  "127.0.0.1": [],
  "::1": ["ipv6-loopback"],
  "unix": [],
};

for (const [bind, needs] of Object.entries(BINDS)) {
  testWith([...USERS, ...needs], `each user gets the own role at ${bind}`, async () => {
    await using scene = await Scene.create();
    const { users: { alice, bob }, scenario: { emulator } } = scene;
    await scene.start([
      roleOf("one", { users: [alice.name] }),
      roleOf("two", { users: [bob.id], sessionDuration: 900, roleSessionName: "the-second" }),
      roleOf("rest"),
    ], bind === "unix" ? { bind: scene.path("socket") } : { bind });
    // One key for all: each role has its session, and there were no others.
    assertEquals(
      emulator.sessions.map(({ roleArn }) => roleArn).toSorted(),
      ["one", "rest", "two"].map(roleArn),
    );
    const second = emulator.requests.find(({ url }) => url.includes("TWO"));
    assertEquals(JSON.parse(new TextDecoder().decode(second?.body)), {
      durationSeconds: 900,
      roleSessionName: "the-second",
    });
    for (const [user, name] of [[alice, "one"], [bob, "two"], [undefined, "rest"]] as const) {
      assertEquals(await scene.roleArn(user), roleArn(name));
      const listed = await scene.get(user, `${ROLES}/`);
      assertEquals(listed.body, name.toUpperCase());
      for (const own of [name, name.toUpperCase()]) {
        assertEquals(scene.ownerOf((await scene.get(user, `${ROLES}/${own}`)).body), roleArn(name));
      }
      for (const other of ["one", "two", "rest"].filter((other) => other !== name)) {
        assertEquals((await scene.get(user, `${ROLES}/${other}`)).status, 404);
        assertEquals((await scene.get(user, `${ROLES}/${other.toUpperCase()}`)).status, 404);
      }
    }
    // A stolen token does not change the role, and does not work.
    const tokens = { alice: await scene.token(alice), bob: await scene.token(bob) };
    for (
      const [thief, token] of [
        [bob, tokens.alice],
        [alice, tokens.bob],
        [undefined, tokens.alice],
      ] as const
    ) {
      for (const path of [`${ROLES}/`, `${ROLES}/default`, `${ROLES}/ONE`]) {
        assertEquals((await scene.get(thief, path, token)).status, 401);
      }
    }
    assertEquals((await scene.get(alice, `${ROLES}/ONE`, tokens.alice)).status, 200);
  });

  testWith(
    [...USERS, ...needs],
    `users of no role get 403 at ${bind} if each role has users`,
    async () => {
      await using scene = await Scene.create();
      const { users: { alice, bob } } = scene;
      const tokenFile = scene.path("container");
      await scene.start([
        roleOf("one", { users: [alice.name] }),
        roleOf("none", { users: [], tokenFile }),
      ], bind === "unix" ? { bind: scene.path("socket") } : { bind });
      const token = await scene.token(alice);
      for (const other of [bob, undefined]) {
        const [put, get] = await ask(other, scene.address, [
          tokenRequest,
          { path: `${ROLES}/default`, headers: { [TOKEN]: token } },
        ]);
        assertEquals([put?.status, put?.body, get?.status], [403, NO_ROLE, 403]);
      }
      // The holder of a role's own token gets that role, whatever the user.
      const authorization = Deno.readTextFileSync(tokenFile);
      const changed = (authorization.startsWith("x") ? "y" : "x") + authorization.slice(1);
      for (const user of [alice, bob, undefined]) {
        const [own, wrong, unknown] = await ask(user, scene.address, [
          { path: "/role/none", headers: { authorization } },
          { path: "/role/one", headers: { authorization } },
          { path: "/role/none", headers: { authorization: changed } },
        ]);
        assertEquals([own?.status, wrong?.status, unknown?.status], [200, 404, 401]);
        assertEquals(scene.ownerOf(own?.body ?? "{}"), roleArn("none"));
        assertEquals(JSON.parse(own?.body ?? "").RoleArn, roleArn("none"));
      }
    },
  );
}

testWith(
  USERS,
  "token files belong to the role's first user, and only that user can read them",
  async () => {
    await using scene = await Scene.create();
    const { users: { alice, bob } } = scene;
    const files = ["one", "two", "rest"].map((name) => scene.path(`token-${name}`));
    const [one = "", two = "", rest = ""] = files;
    const serve = await scene.start([
      roleOf("one", { users: [alice.name, bob.name], tokenFile: one }),
      roleOf("two", { users: [], tokenFile: two }),
      roleOf("rest", { tokenFile: rest }),
    ]);
    const owners = files.map((file) => {
      const { uid, mode } = Deno.statSync(file);
      return [uid, (mode ?? 0) & 0o7777];
    });
    assertEquals(owners, [[alice.id, 0o600], [0, 0o600], [0, 0o600]]);
    const tokens = files.map((file) => Deno.readTextFileSync(file));
    assertEquals(new Set(tokens).size, 3);
    for (const [i, name] of ["one", "two", "rest"].entries()) {
      const [response] = await ask(bob, scene.address, [
        { path: `/role/${name}`, headers: { authorization: tokens[i] ?? "" } },
      ]);
      assertEquals(scene.ownerOf(response?.body ?? ""), roleArn(name));
    }
    // Another first user: a new token, because the first one knows the old.
    await serve.reload();
    assertEquals(files.map((file) => Deno.readTextFileSync(file)), tokens);
    writeRoles(scene.file, [
      roleOf("one", { users: [bob.name, alice.name], tokenFile: one }),
      roleOf("rest", { tokenFile: rest }),
    ]);
    await serve.reload();
    assertEquals(Deno.statSync(one).uid, bob.id);
    assertNotEquals(Deno.readTextFileSync(one), tokens[0]);
    assertEquals([exists(two), Deno.readTextFileSync(rest)], [false, tokens[2]]);
    for (const [name, i] of [["one", 0], ["two", 1]] as const) {
      const [response] = await ask(undefined, scene.address, [
        { path: `/role/${name}`, headers: { authorization: tokens[i] ?? "" } },
      ]);
      assertEquals(response?.status, 401);
    }
    serve.binary.kill("SIGTERM");
    assertEquals((await serve.binary.end()).code, 0);
    assertEquals(files.map(exists), [false, false, false]);
  },
);

for (const [capability, hasOwner] of [["+chown", true], ["-chown", false]] as const) {
  testWith(USERS, `a serve that is not root writes token files with ${capability}`, async () => {
    await using scene = await Scene.create();
    using other = new OtherUser();
    const { scenario, users: { alice } } = scene;
    await giveToOther(scenario.directory.path);
    const folder = scenario.directory.join("tokens");
    Deno.mkdirSync(folder, { mode: 0o711 });
    await giveToOther(folder);
    const tokenFile = `${folder}/one`;
    const capabilities = `-all,${capability}`;
    await scene.start([roleOf("one", { users: [alice.name], tokenFile })], {
      // The copy of the binary, which this user can read, runs in place of the other.
      wrapper: [
        ...commandAsOther([]),
        ...[`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`],
        ...["sh", "-c", 'shift; exec "$0" "$@"', other.binary],
      ],
    });
    const { uid, mode } = Deno.statSync(tokenFile);
    const owner = Deno.statSync(folder).uid;
    assertEquals([uid, (mode ?? 0) & 0o7777], [hasOwner ? alice.id : owner, 0o600]);
    const warnings = scene.serve?.binary.lines.filter((line) => line.includes("the owner"));
    assertEquals(warnings?.length, hasOwner ? 0 : 1);
    scene.serve?.binary.kill("SIGTERM");
    await scene.serve?.binary.end();
    assertEquals(exists(tokenFile), false);
  });
}

testWith(USERS, "--allow-user limits the users of --roles", async () => {
  await using scene = await Scene.create();
  const { users: { alice, bob } } = scene;
  const roles = [roleOf("one", { users: [alice.name] }), roleOf("rest")];
  await scene.start(roles, { flags: [`--allow-user=${alice.name}`] });
  assertEquals(await scene.roleArn(alice), roleArn("one"));
  const [refused] = await ask(bob, scene.address, [tokenRequest]);
  assertEquals(refused?.status, 403);
  assertMatch(refused?.body ?? "", /--allow-user/);
});

testWith(USERS, "SIGHUP adds, changes and removes roles, and moves users", async () => {
  await using scene = await Scene.create();
  const { users: { alice, bob }, scenario: { emulator } } = scene;
  const serve = await scene.start([
    roleOf("one", { users: [alice.name] }),
    roleOf("two", { users: [bob.name] }),
    roleOf("rest"),
  ]);
  const token = await scene.token(alice);
  writeRoles(scene.file, [
    roleOf("one", { users: [alice.name, bob.name] }),
    roleOf("rest", { roleArn: roleArn("other") }),
    roleOf("three", { users: [0] }),
  ]);
  assertEquals(
    await serve.reload(),
    "aws_signing_helper: roles read again: added three; changed one, rest; removed two; 0 unchanged",
  );
  assertEquals(await scene.roleArn(alice), roleArn("one"));
  assertEquals(await scene.roleArn(bob), roleArn("one"));
  assertEquals(await scene.roleArn(undefined), roleArn("three"));
  // The role with other users kept its session, and tokens go on.
  assertEquals(emulator.sessions.filter(({ roleArn: arn }) => arn === roleArn("one")).length, 1);
  assertEquals((await scene.get(alice, `${ROLES}/ONE`, token)).status, 200);
  const [health] = await ask(undefined, scene.address, [{ path: "/healthz" }]);
  assertEquals(
    JSON.parse(health?.body ?? "").roles.map(({ name }: { name: string }) => name),
    ["one", "rest", "three"],
  );

  for (
    const [bad, message] of [
      ["[", /roles\.json: it is not JSON/],
      ['[{"name":"one","roleArn":"x"}]', /role "one": roleArn "x" is not an ARN/],
      [JSON.stringify([roleOf("one"), roleOf("one")]), /two roles have the name "one"/],
      [
        JSON.stringify([roleOf("one", { tokenFile: "/nonexistent/x" })]),
        /role "one": tokenFile \/nonexistent\/x cannot be written/,
      ],
    ] as const
  ) {
    Deno.writeTextFileSync(scene.file, bad);
    const line = await serve.reload();
    assertMatch(line, message);
    assertMatch(line, /; the roles read before are still served$/);
    assertEquals(await scene.roleArn(bob), roleArn("one"));
  }
  assertEquals((await scene.get(alice, `${ROLES}/ONE`, token)).status, 200);
});

testWith(USERS, "SIGHUP under load: requests of other roles neither fail nor stop", async () => {
  await using scene = await Scene.create();
  const { users: { alice, bob } } = scene;
  const base = [roleOf("one", { users: [alice.name] }), roleOf("two", { users: [bob.name] })];
  const serve = await scene.start(base);
  let isRunning = true;
  const results = new Map<string, number>();
  const load = async (user: SystemUser, name: string) => {
    const token = await scene.token(user);
    const request = { path: `${ROLES}/${name.toUpperCase()}`, headers: { [TOKEN]: token } };
    const many = Array.from({ length: 40 }, () => request);
    while (isRunning) {
      for (const { status, body } of await ask(user, scene.address, many)) {
        const what = status === 200 ? `${name}: ${scene.ownerOf(body)}` : `${name}: ${status}`;
        results.set(what, (results.get(what) ?? 0) + 1);
      }
    }
  };
  const loads = [load(alice, "one"), load(alice, "one"), load(bob, "two")];
  for (let round = 0; round < 12; round++) {
    // A third role comes, changes and goes, and the second gets other settings.
    writeRoles(scene.file, [
      base[0] ?? roleOf("one"),
      roleOf("two", { users: [bob.name], sessionDuration: 900 + round }),
      ...(round % 3 === 0 ? [] : [roleOf("three", { roleArn: roleArn(`three-${round}`) })]),
    ]);
    if (round % 4 === 3) Deno.writeTextFileSync(scene.file, "[{");
    await serve.reload();
  }
  isRunning = false;
  await Promise.all(loads);
  assertEquals([...results.keys()].toSorted(), [
    `one: ${roleArn("one")}`,
    `two: ${roleArn("two")}`,
  ]);
  for (const count of results.values()) assert(count >= 40, String(count));
  // Many signals at once are one or two runs, and end nothing.
  writeRoles(scene.file, base);
  const from = serve.binary.lines.length;
  for (let i = 0; i < 20; i++) serve.binary.kill("SIGHUP");
  await serve.binary.waitForLine(/roles read again/, from);
  assertEquals(await scene.roleArn(bob), roleArn("two"));
});

testWith(
  ["linux", "binary", `program:${SYSTEM_PYTHON}`],
  "a role that is refused does not affect two that work",
  async () => {
    await using scenario = await SessionScenario.create();
    scenario.emulator.refusedProfiles.add(REFUSED_PROFILE);
    using directory = new TemporaryDirectory();
    const token = (name: string) => directory.join(`token-${name}`);
    const names = ["one", "bad", "two"] as const;
    await using serve = await RolesServe.start(
      scenario,
      directory.join("roles.json"),
      names.map((name) =>
        roleOf(name, {
          tokenFile: token(name),
          ...(name === "bad" ? { profileArn: REFUSED_PROFILE } : {}),
        })
      ),
      { flags: ["--debug"] },
    );
    const line = await serve.binary.waitForLine(/the refresh failed/);
    assertMatch(line, /role "bad": the refresh failed: AccessDeniedException/);
    const requests = names.map((name) => ({
      path: `/role/${name}`,
      headers: { authorization: Deno.readTextFileSync(token(name)) },
    }));
    const responses = await ask(undefined, serve.address, requests);
    assertEquals(responses.map(({ status }) => status), [200, 500, 200]);
    const [health] = await ask(undefined, serve.address, [{ path: "/healthz" }]);
    assertEquals(health?.status, 200);
    const { status, roles } = JSON.parse(health?.body ?? "");
    assertEquals(status, "failing");
    assertEquals(
      roles.map(({ name, status, lastError }: Record<string, unknown>) => [
        ...[name, status, lastError],
      ]),
      [
        ["one", "ok", null],
        ["bad", "expired", { code: "service-refused", failures: 1 }],
        ["two", "ok", null],
      ],
    );
    // The log names the role of each request and refresh.
    await serve.binary.waitForLine(/"path":"\/role\/bad","status":500.*"role":"bad"/);
    await serve.binary.waitForLine(/\{"role":"two","event":"refreshed"/);
    await serve.binary.waitForLine(/^debug: role "bad": response: 403/);
    // The profile is allowed, and the same file is read again: the role works.
    scenario.emulator.refusedProfiles.clear();
    assertMatch(await serve.reload(), /roles read again: 3 unchanged$/);
    const retried = await ask(undefined, serve.address, requests);
    assertEquals(retried.map(({ status }) => status), [200, 200, 200]);
    assertEquals(scenario.emulator.sessions.length, 3);
    // Other settings: another session of this role only.
    writeRoles(
      directory.join("roles.json"),
      names.map((name) => roleOf(name, { tokenFile: token(name) })),
    );
    assertMatch(await serve.reload(), /changed bad; 2 unchanged/);
    const after = await ask(undefined, serve.address, requests);
    assertEquals(after.map(({ status }) => status), [200, 200, 200]);
    assertEquals(scenario.emulator.sessions.length, 4);
  },
);

testWith(
  ["linux", "binary"],
  "a changed role serves its last session while the service is unavailable",
  async () => {
    await using scenario = await SessionScenario.create();
    using directory = new TemporaryDirectory();
    const file = directory.join("roles.json");
    const tokenFile = directory.join("token");
    const role = (sessionDuration: number, more = {}) =>
      roleOf("a", { tokenFile, sessionDuration, ...more });
    await using serve = await RolesServe.start(scenario, file, [role(3600)], {
      flags: ["--metrics"],
    });
    const get = async (path: string) => {
      const headers = { authorization: Deno.readTextFileSync(tokenFile) };
      return await (await fetch(`${serve.url}${path}`, { headers })).text();
    };
    const first = JSON.parse(await get("/role/a")).AccessKeyId;
    const reload = async (sessionDuration: number, more = {}) => {
      writeRoles(file, [role(sessionDuration, more)]);
      assertStringIncludes(await serve.reload(), "changed a");
    };
    scenario.emulator.fail("access-denied");
    for (const seconds of [1000, 1100]) {
      await reload(seconds);
      assertEquals(JSON.parse(await get("/role/a")).AccessKeyId, first);
      const { status, roles: [{ remainingSeconds }] } = JSON.parse(await get("/healthz"));
      assertEquals([status, remainingSeconds > 3000], ["failing", true]);
      assert(!/session_expiration\S* 0$/m.test(await get("/metrics")));
    }
    assertMatch(serve.binary.lines.join(), /the refresh failed.*; the credentials are valid until/);
    // Other clients do not get it, even if only they change.
    await reload(1100, { users: [] });
    assertEquals(JSON.parse(await get("/role/a")).code, "NoCredentials");
    assert(/session_expiration\S* 0$/m.test(await get("/metrics")));
    scenario.emulator.recover();
    await reload(1200, { users: [] });
    assertNotEquals(JSON.parse(await get("/role/a")).AccessKeyId, first);
  },
);

testWith(["linux", "binary"], "serve does not listen if all roles fail", async () => {
  await using scenario = await SessionScenario.create();
  scenario.emulator.refusedProfiles.add(ARNS.profile);
  using directory = new TemporaryDirectory();
  const file = directory.join("roles.json");
  writeRoles(file, [roleOf("one", { tokenFile: directory.join("token") }), roleOf("two")]);
  const { code, stdout, stderr } = await runBinary([
    ...["serve", ...flagsWithoutRole(scenario), "--port=0", "--roles", file],
  ]);
  assertEquals([code, stdout], [4, ""]);
  assertEquals(
    stderr,
    'aws_signing_helper: all 2 roles failed; role "one": AccessDeniedException: ' +
      "The profile does not have the role\n",
  );
  assertEquals(exists(directory.join("token")), false);
});

testWith(["linux", "binary"], "roles without users work where no user is known", async () => {
  await using scenario = await SessionScenario.create();
  using directory = new TemporaryDirectory();
  const file = directory.join("roles.json");
  await using serve = await RolesServe.start(scenario, file, [roleOf("one"), roleOf("two")], {
    bind: "0.0.0.0",
    flags: ["--allow-remote"],
  });
  assert(
    serve.binary.lines.some((line) =>
      line ===
        'aws_signing_helper: warning: role "two": it has no clients; add users or a tokenFile'
    ),
  );
  writeRoles(file, [roleOf("one", { users: [12345] }), roleOf("two")]);
  assertMatch(
    await serve.reload(),
    /role "one": users: the kernel reports only users of this machine; use --bind/,
  );
});

testWith(["linux", "binary"], "users cannot be added to a file that had none", async () => {
  await using scenario = await SessionScenario.create();
  using directory = new TemporaryDirectory();
  const file = directory.join("roles.json");
  await using serve = await RolesServe.start(scenario, file, [roleOf("one")]);
  writeRoles(file, [roleOf("one", { users: [12345] })]);
  assertMatch(
    await serve.reload(),
    /serve started without users in the file; restart it; the roles/,
  );
});

/** Files that serve refuses, and its sentence after the name of the file. */
const BAD_FILES: Readonly<Record<string, readonly [file: unknown, message: RegExp]>> = {
  "text": ["no", /: it is not JSON; correct it \(jq shows the place\)\n$/],
  "a comma too much": [
    '[{"name": "a",\n "roleArn": "x",\n}]',
    /: it is not JSON \(line 3, column 1\); correct it\n$/,
  ],
  "an object": [{ name: "a" }, /: it is not a JSON array of roles; see commands\.md\n$/],
  "no roles": [[], /: it has no roles; add one\n$/],
  "a number as a role": [[1], /: role 1: it is not an object; write it in braces\n$/],
  "a role without a name": [[{}], /: role 1: name is missing; add it\n$/],
  "a role with a misspelt name": [
    [{ nam: "a" }],
    /: role 1: the key "nam" is not known; use name, .*\n$/,
  ],
  "a name that is a path": [
    [{ name: "../x" }],
    /: role 1: name must be 1 to 64 letters, digits or _\+=,\.@-; change it\n$/,
  ],
  "a role without an ARN": [[{ name: "a" }], /: role "a": roleArn is missing; add it\n$/],
  "an ARN of something else": [
    [{ name: "a", roleArn: ARNS.profile }],
    /: role "a": roleArn is the ARN of a profile; write that of a role, of the form arn:aws:iam/,
  ],
  "an unknown key": [
    [roleOf("a", { rolearn: "x" })],
    /: role "a": the key "rolearn" is not known; use name, roleArn, profileArn, .*\n$/,
  ],
  "a text as duration": [
    [roleOf("a", { sessionDuration: "900" })],
    /: role "a": sessionDuration is not a whole number; write it without quotes\n$/,
  ],
  "a duration out of range": [
    [roleOf("a", { sessionDuration: 60 })],
    /: role "a": sessionDuration is "60"; it must be a whole number of 900 to 43200\n$/,
  ],
  "a session name with a blank": [
    [roleOf("a", { roleSessionName: "a b" })],
    /: role "a": roleSessionName "a b" must be 2 to 64 letters/,
  ],
  "a name twice": [[roleOf("a"), roleOf("a")], /: two roles have the name "a"; rename one\n$/],
  "a user of two roles": [
    [roleOf("a", { users: [1234] }), roleOf("b", { users: ["7", "1234"] })],
    /: role "b": users: the user 1234 is also in the role "a"; list each user once\n$/,
  ],
  "a user by name and by number": [
    [roleOf("a", { users: ["root", 0] })],
    /: role "a": users: the user 0 is listed twice; list each user once\n$/,
  ],
  "an unknown user": [
    [roleOf("a", { users: ["no-such"] })],
    /: role "a": users: there is no user "no-such"; check the name with getent passwd\n$/,
  ],
  "a user's name that continues after a zero byte": [
    [roleOf("a", { users: ["root\0x"] })],
    /: role "a": users: there is no user .*; check the name with getent passwd\n$/,
  ],
  "users that are not a list": [
    [roleOf("a", { users: "root" })],
    /: role "a": users is not a list; write it in brackets\n$/,
  ],
  "one token file for two roles": [
    [roleOf("a", { tokenFile: "/x/t" }), roleOf("b", { tokenFile: "/x/t" })],
    /: role "b": tokenFile: the role "a" has the same file; name another\n$/,
  ],
};

for (const [what, [file, message]] of Object.entries(BAD_FILES)) {
  testWith(["linux", "binary"], `serve refuses a roles file with ${what}`, async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.write(
      "roles.json",
      typeof file === "string" ? file : JSON.stringify(file),
    );
    const { code, stdout, stderr } = await runBinary([
      ...["serve", ...flagsWithoutRole(scenario), "--port=0", "--roles", path],
    ]);
    assertEquals([code, stdout], [2, ""], stderr);
    assertStringIncludes(stderr, `aws_signing_helper: --roles ${path}: `);
    assertMatch(stderr, message);
    assertEquals(stderr.split("\n").length, 2);
    assertEquals(scenario.emulator.requests.length, 0);
  });
}

testWith(
  ["linux", "binary"],
  "serve refuses users where the kernel does not report them",
  async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.join("roles.json");
    const run = async (...flags: string[]) => {
      const all = ["serve", ...flagsWithoutRole(scenario), "--port=0", "--roles", path, ...flags];
      const { code, stderr } = await runBinary(all);
      assertEquals(code, 2, stderr);
      return stderr;
    };
    writeRoles(path, [roleOf("a", { users: [0] })]);
    assertMatch(
      await run("--bind=0.0.0.0", "--hop-limit=1"),
      /role "a": users: the kernel reports only users of this machine; use --bind with a loopback/,
    );
    assertMatch(
      await run("--container-credentials"),
      /--roles and --container-credentials cannot be used together/,
    );
    assertMatch(await run("--roles="), /--roles is empty/);
    Deno.removeSync(path);
    assertMatch(await run(), /roles\.json: it cannot be read; check that it exists/);
    Deno.mkdirSync(path);
    assertMatch(await run(), /roles\.json: is a directory/);
  },
);

testWith(
  ["linux", "binary"],
  "serve refuses a token file that two roles name by different links",
  async () => {
    await using scenario = await SessionScenario.create();
    using directory = new TemporaryDirectory();
    const file = directory.join("roles.json");
    Deno.mkdirSync(directory.join("real"));
    Deno.symlinkSync("real", directory.join("link"));
    const [real, link, other] = ["real/t", "link/t", "real/u"].map((name) => directory.join(name));
    await using serve = await RolesServe.start(scenario, file, [
      roleOf("a", { tokenFile: real }),
      roleOf("b", { tokenFile: other, users: [] }),
    ]);
    writeRoles(file, [
      roleOf("a", { tokenFile: real }),
      roleOf("b", { tokenFile: link, users: [] }),
    ]);
    const message = /role "b": tokenFile: the role "a" has the same file; name another/;
    assertMatch(await serve.reload(), message);
    const authorization = Deno.readTextFileSync(real ?? "");
    const response = await fetch(`${serve.url}/role/a`, { headers: { authorization } });
    assertEquals(scenario.emulator.sessions.length, 2);
    assertEquals([response.status, (await response.json()).RoleArn], [200, roleArn("a")]);
  },
);

testWith(["linux", "binary"], "a token replaces no file but an earlier token", async () => {
  await using scenario = await SessionScenario.create();
  using directory = new TemporaryDirectory();
  const file = directory.join("roles.json");
  const key = directory.join("key.pem");
  Deno.copyFileSync(scenario.identity.keyPath, key);
  const before = Deno.readTextFileSync(key);
  const [token, empty] = ["token", "empty"].map((name) => directory.join(name));
  // A token that a killed serve left, and a file that was made for one.
  Deno.writeTextFileSync(token ?? "", "A".repeat(64));
  Deno.writeTextFileSync(empty ?? "", "");
  await using serve = await RolesServe.start(scenario, file, [
    roleOf("a", { tokenFile: token }),
    roleOf("b", { tokenFile: empty, users: [] }),
  ]);
  const tokens = [token, empty].map((path) => Deno.readTextFileSync(path ?? ""));
  assertEquals(tokens.map((text) => text.length), [64, 64]);
  assertNotEquals(tokens[0], "A".repeat(64));
  const blanks = directory.write("blanks", " ".repeat(64));
  for (const path of [key, file, blanks]) {
    writeRoles(file, [roleOf("a", { tokenFile: token }), roleOf("c", { tokenFile: path })]);
    const roles = Deno.readTextFileSync(file);
    assertStringIncludes(
      await serve.reload(),
      `role "c": tokenFile ${path}: it has other contents than a token; name another file; ` +
        "the roles read before are still served",
    );
    assertEquals(Deno.readTextFileSync(file), roles);
  }
  serve.binary.kill("SIGTERM");
  assertEquals((await serve.binary.end()).code, 0);
  assertEquals([Deno.readTextFileSync(key), exists(file)], [before, true]);
  assertEquals(Deno.readTextFileSync(blanks), " ".repeat(64));
});

testWith(
  ["linux", "binary"],
  "a serve that is ended at its start leaves no token files",
  async () => {
    await using scenario = await SessionScenario.create();
    using directory = new TemporaryDirectory();
    const file = scenario.directory.join("roles.json");
    const tokenFiles = Array.from({ length: 60 }, (_, i) => directory.join(`token-${i}`));
    writeRoles(file, tokenFiles.map((tokenFile, i) => roleOf(`role-${i}`, { tokenFile })));
    await using serve = new RunningBinary(
      ["serve", ...flagsWithoutRole(scenario), "--roles", file, "--port=0"],
      {},
    );
    await serve.waitForLine(/^aws_signing_helper: role ".*": credentials are valid/);
    while (!tokenFiles.some(exists)) await new Promise((resolve) => setTimeout(resolve, 1));
    serve.kill("SIGTERM");
    const { code } = await serve.end();
    assertEquals([code, [...Deno.readDirSync(directory.path)]], [0, []]);
  },
);

testWith(["linux", "binary"], "serve takes the documented roles", async () => {
  await using scenario = await SessionScenario.create();
  using directory = new TemporaryDirectory();
  const [text = ""] = blocks("commands.md", "roles");
  // Users and folder of this machine.
  const roles = text.replace('"deploy", 1001', "1001").replace('["backup"]', "[1002]")
    .replaceAll("/run/aws_signing_helper", directory.path);
  const file = directory.join("roles.json");
  await using serve = await RolesServe.start(scenario, file, JSON.parse(roles));
  const lines = serve.binary.lines.flatMap((line) => /: (role ".*): (.*)$/.exec(line)?.[2] ?? []);
  const clients = lines.filter((line) => /users/.test(line));
  assertEquals(clients.map((line) => line.replace(/ http.*/, "")), [
    "users 1001;",
    "users 1002",
    "all other users",
  ]);
});

testWith(["linux", "binary"], "a key in place of the roles file is not printed", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr } = await runBinary([
    ...["serve", ...flagsWithoutRole(scenario), "--roles", scenario.identity.keyPath],
  ]);
  assertEquals(code, 2);
  assertMatch(stderr, /: it is not JSON/);
  assert(!stderr.includes("BEGIN"), stderr);
});

testWith(["linux", "binary"], "ARNs that neither the file nor a flag has are named", async () => {
  await using scenario = await SessionScenario.create();
  const { certificatePath, keyPath } = scenario.identity;
  const path = scenario.directory.join("roles.json");
  const key = ["--certificate", certificatePath, "--private-key", keyPath];
  writeRoles(path, [roleOf("a", { profileArn: ARNS.profile })]);
  const { code, stderr } = await runBinary(["serve", ...key, "--roles", path]);
  assertEquals(code, 2);
  assertMatch(stderr, /role "a": trustAnchorArn is missing; add it, or use --trust-anchor-arn\n$/);
});

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
