import { assert, assertEquals, assertMatch } from "@std/assert";

import type { AccessEntry } from "../../src/imds/endpoint.ts";
import type { ServedRole } from "../../src/imds/roles.ts";
import { CREDENTIALS, FakeEndpoint } from "./fake_endpoint.ts";

const TOKEN = "/latest/api/token";
const ROLES = "/latest/meta-data/iam/security-credentials";
const TTL = "x-aws-ec2-metadata-token-ttl-seconds";

for (const path of [TOKEN, `${TOKEN}/`, `//${TOKEN.slice(1)}`, `////${TOKEN.slice(1)}/`]) {
  Deno.test(`PUT ${path} returns a token of 56 characters and its lifetime`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(path, { method: "PUT", headers: { [TTL]: "60" } });
    assertEquals(answer.status, 200);
    assertEquals(answer.headers.get("content-type"), "text/plain");
    assertEquals(answer.headers.get(TTL), "60");
    assertMatch(await answer.text(), /^[A-Za-z0-9+/]{56}$/);
  });
}

Deno.test("PUT of a token without a lifetime uses six hours", async () => {
  const endpoint = await FakeEndpoint.create();
  const answer = await endpoint.ask(TOKEN, { method: "PUT" });
  assertEquals([answer.status, answer.headers.get(TTL)], [200, "21600"]);
});

for (
  const life of ["0", "21601", "-1", "1.5", "abc", "", " ", "1e3", "0x10", "999999999999", "60, 60"]
) {
  Deno.test(`PUT of a token returns 400 if its lifetime is "${life}"`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(TOKEN, { method: "PUT", headers: { [TTL]: life } });
    assertEquals([answer.status, endpoint.tokens.size], [400, 0]);
  });
}

Deno.test("PUT of a token returns 400 if it was forwarded", async () => {
  const endpoint = await FakeEndpoint.create();
  for (const value of ["10.0.0.1", ""]) {
    const headers = { "x-forwarded-for": value };
    const answer = await endpoint.ask(TOKEN, { method: "PUT", headers });
    assertEquals([answer.status, endpoint.tokens.size], [400, 0]);
  }
});

for (const method of ["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS"]) {
  Deno.test(`${method} of the token returns 405 with Allow`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(TOKEN, { method });
    assertEquals([answer.status, answer.headers.get("allow")], [405, "PUT"]);
  });
}

for (const method of ["PUT", "POST", "DELETE", "OPTIONS"]) {
  Deno.test(`${method} of a document returns 405 with Allow`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(`${ROLES}/`, { method, headers: await endpoint.token() });
    assertEquals([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
  });
}

for (const path of [ROLES, `${ROLES}/`, `//${ROLES.slice(1)}/`, `${ROLES}/?x=1`]) {
  Deno.test(`GET ${path} returns the role's name without a newline`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(path, { headers: await endpoint.token() });
    assertEquals([answer.status, await answer.text()], [200, "Demo"]);
    assertEquals(answer.headers.get("content-type"), "text/plain");
  });
}

for (const role of ["Demo", "Demo/", "default", "default/", "%44emo"]) {
  Deno.test(`GET the credentials of ${role} returns the document that SDKs read`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(`${ROLES}/${role}`, { headers: await endpoint.token() });
    assertEquals(answer.status, 200);
    assertEquals(answer.headers.get("content-type"), "application/json");
    assertEquals(await answer.json(), {
      Code: "Success",
      LastUpdated: "2026-01-01T00:00:00Z",
      Type: "AWS-HMAC",
      AccessKeyId: "ASIAEXAMPLE",
      SecretAccessKey: "secret/key",
      Token: "session//token==",
      Expiration: "2026-01-01T01:00:00Z",
    });
  });
}

for (const role of ["Other", "demo", "Demo2", "..", "Demo%2F", "%", "Demo/x"]) {
  Deno.test(`GET the credentials of ${role} returns 404`, async () => {
    const endpoint = await FakeEndpoint.create();
    const answer = await endpoint.ask(`${ROLES}/${role}`, { headers: await endpoint.token() });
    assertEquals(answer.status, 404);
  });
}

const UNKNOWN = [
  "/",
  "/latest",
  "/latest/",
  "/latest/meta-data/",
  "/latest/meta-data/iam/",
  "/latest/meta-data/iam/info",
  "/latest/meta-data/iam/security-credentials-extended/",
  "/latest/meta-data/iam/security-credentials-extended/Demo",
  "/latest/api/",
  "/latest/api/token/x",
  "/2021-1-3/meta-data/iam/security-credentials/",
  "/2021-01-03x/meta-data/iam/security-credentials/",
  "/1.00/meta-data/iam/security-credentials/",
  "/x/2021-01-03/meta-data/iam/security-credentials/",
  "/role/Demo",
];

for (const path of UNKNOWN) {
  Deno.test(`${path} returns 404 for every method, with and without a token`, async () => {
    const endpoint = await FakeEndpoint.create();
    const token = await endpoint.token();
    for (const method of ["GET", "HEAD", "PUT", "POST"]) {
      for (const headers of [{}, token]) {
        assertEquals((await endpoint.ask(path, { method, headers })).status, 404, method);
      }
    }
  });
}

const DOCUMENTS: Record<string, string> = {
  [`${ROLES}/`]: "Demo",
  "/latest/meta-data/placement/region": "eu-central-1",
  "/latest/meta-data/placement/availability-zone": "eu-central-1a",
  "/latest/dynamic/instance-identity/document": '{"region":"eu-central-1"}',
};

for (const [path, body] of Object.entries(DOCUMENTS)) {
  Deno.test(`GET ${path} requires a token and returns its remaining lifetime`, async () => {
    const endpoint = await FakeEndpoint.create();
    const token = await endpoint.token(60);
    for (const slash of ["", "/"]) {
      const answer = await endpoint.ask(path.replace(/\/$/, "") + slash, { headers: token });
      assertEquals([answer.status, await answer.text()], [200, body]);
    }
    endpoint.time += 20_500;
    const later = await endpoint.ask(path, { headers: token });
    assertEquals([later.status, later.headers.get(TTL)], [200, "40"]);
    endpoint.time += 39_500;
    for (const headers of [token, {}, { "x-aws-ec2-metadata-token": "A".repeat(56) }]) {
      const answer = await endpoint.ask(path, { headers });
      assertEquals([answer.status, answer.headers.get(TTL)], [401, null]);
      assert(!(await answer.text()).includes(body));
    }
  });
}

Deno.test("an unknown role returns the token's remaining lifetime too", async () => {
  const endpoint = await FakeEndpoint.create();
  const answer = await endpoint.ask(`${ROLES}/Other`, { headers: await endpoint.token(60) });
  assertEquals([answer.status, answer.headers.get(TTL)], [404, "60"]);
});

Deno.test("tokens used in turn each get a complete response with their own lifetime", async () => {
  const endpoint = await FakeEndpoint.create();
  const tokens = [[60, await endpoint.token(60)], [90, await endpoint.token(90)]] as const;
  for (const [life, headers] of [...tokens, ...tokens, ...tokens.toReversed()]) {
    const answer = await endpoint.ask(`${ROLES}/Demo`, { headers });
    assertEquals([answer.status, answer.headers.get(TTL)], [200, String(life)]);
    assertEquals((await answer.json()).Code, "Success");
  }
});

for (const method of ["PUT", "POST"]) {
  Deno.test(`${method} of any role, known or not, returns 405 with Allow`, async () => {
    const endpoint = await FakeEndpoint.create();
    for (const role of ["Demo", "default", "Other", "%44emo"]) {
      const answer = await endpoint.ask(`${ROLES}/${role}`, { method });
      assertEquals([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
    }
  });
}

Deno.test("a role with the name default is served under its name", async () => {
  const endpoint = await FakeEndpoint.create({
    arn: "arn:aws:iam::123456789012:role/default",
  });
  const headers = await endpoint.token();
  const answer = await endpoint.ask(`${ROLES}/default`, { headers });
  assertEquals([answer.status, (await answer.json()).Code], [200, "Success"]);
  assertEquals((await endpoint.ask(`${ROLES}/Demo`, { headers })).status, 404);
});

Deno.test("HEAD responds like GET, without a body", async () => {
  const endpoint = await FakeEndpoint.create();
  const headers = await endpoint.token();
  const answer = await endpoint.ask(`${ROLES}/Demo`, { method: "HEAD", headers });
  assertEquals([answer.status, await answer.text()], [200, ""]);
  assertEquals(answer.headers.get("content-type"), "application/json");
  assertEquals((await endpoint.ask(`${ROLES}/Demo`, { method: "HEAD" })).status, 401);
});

Deno.test("credentials return 500 with a reason if there are none, and are never empty", async () => {
  const endpoint = await FakeEndpoint.create({ containerToken: "secret" });
  const headers = { ...await endpoint.token(60), authorization: "secret" };
  endpoint.credentials = undefined;
  for (const path of [`${ROLES}/Demo`, "/role/Demo"]) {
    const answer = await endpoint.ask(path, { headers });
    assertEquals(answer.status, 500);
    assertMatch(await answer.text(), /no valid credentials/);
  }
  endpoint.credentials = CREDENTIALS;
  assertEquals((await endpoint.ask(`${ROLES}/Demo`, { headers })).status, 200);
});

Deno.test("new credentials are served as soon as there are some", async () => {
  const endpoint = await FakeEndpoint.create();
  const headers = await endpoint.token();
  const keyOf = async () =>
    (await (await endpoint.ask(`${ROLES}/Demo`, { headers })).json()).AccessKeyId;
  assertEquals(await keyOf(), "ASIAEXAMPLE");
  endpoint.credentials = { ...CREDENTIALS, accessKeyId: "ASIANEW", fetched: new Date() };
  assertEquals(await keyOf(), "ASIANEW");
});

for (
  const host of [
    "evil.example",
    "evil.example:9911",
    "evil.example.",
    "machine.evil.example",
    "127.0.0.1.evil.example",
    "x.localhost",
    "127.1",
    "2130706433",
    "localhost@evil",
    "[::1",
    "[127.0.0.1]",
  ]
) {
  const status = /^127\.1$|^\d+$|[@[]/.test(host) ? 400 : 403;
  Deno.test(`a request with the host ${host} gets ${status} everywhere`, async () => {
    const endpoint = await FakeEndpoint.create({ containerToken: "secret" });
    const headers = { ...await endpoint.token(), authorization: "secret" };
    for (const path of [`${ROLES}/Demo`, "/role/Demo", "/healthz", "/nothing"]) {
      const answer = await endpoint.ask(path, { host, headers });
      assertEquals(answer.status, status);
    }
    assertEquals((await endpoint.ask(TOKEN, { method: "PUT", host })).status, status);
  });
}

for (
  const host of [
    "localhost",
    "LOCALHOST:80",
    "localhost.",
    "127.0.0.1",
    "127.8.9.1:1",
    "169.254.169.254",
    "10.1.2.3:80",
    "[::1]:9911",
    "::1",
    "[FE80::1%25eth0]",
    "machine",
    "Machine.:9911",
  ]
) {
  Deno.test(`a request that names the host ${host} is answered`, async () => {
    const endpoint = await FakeEndpoint.create();
    assertEquals((await endpoint.ask("/healthz", { host })).status, 200);
  });
}

Deno.test("/healthz returns age, remaining lifetime and the last error's code, and 503 without credentials", async () => {
  const endpoint = await FakeEndpoint.create();
  const ok = await endpoint.ask("/healthz");
  assertEquals([ok.status, await ok.json()], [200, endpoint.health]);
  endpoint.health = {
    status: "failing",
    ageSeconds: 2000,
    remainingSeconds: 1600,
    lastError: { code: "network", failures: 3 },
  };
  const failing = await endpoint.ask("/healthz/");
  assertEquals([failing.status, await failing.json()], [200, endpoint.health]);
  endpoint.health = { ...endpoint.health, status: "expired", remainingSeconds: 0 };
  assertEquals((await endpoint.ask("/healthz")).status, 503);
});

Deno.test("/role/Demo returns container credentials to clients that send the token verbatim", async () => {
  const endpoint = await FakeEndpoint.create({ containerToken: "secret+/=" });
  const answer = await endpoint.ask("/role/Demo", { headers: { authorization: "secret+/=" } });
  assertEquals([answer.status, await answer.json()], [200, {
    AccessKeyId: "ASIAEXAMPLE",
    SecretAccessKey: "secret/key",
    Token: "session//token==",
    Expiration: "2026-01-01T01:00:00Z",
    RoleArn: "arn:aws:iam::123456789012:role/path/Demo",
  }]);
  for (const authorization of ["", "secret", "Bearer secret+/=", "secret+/=x"]) {
    const refused = await endpoint.ask("/role/Demo", { headers: { authorization } });
    assertEquals(refused.status, 401);
    assertEquals(Object.keys(await refused.json()), ["code", "message"]);
  }
  const other = await endpoint.ask("/role/default", { headers: { authorization: "secret+/=" } });
  assertEquals([other.status, (await other.json()).code], [404, "NotFound"]);
});

Deno.test("the access log has no token, no query and no credentials", async () => {
  const entries: AccessEntry[] = [];
  const endpoint = await FakeEndpoint.create({ log: (entry) => entries.push(entry) });
  const headers = await endpoint.token();
  await endpoint.ask(`${ROLES}/Demo?token=${headers["x-aws-ec2-metadata-token"]}`, { headers });
  assertEquals(entries.map(({ method, path, status }) => [method, path, status]), [
    ["PUT", TOKEN, 200],
    ["GET", `${ROLES}/Demo`, 200],
  ]);
  const text = JSON.stringify(entries);
  for (const secret of [headers["x-aws-ec2-metadata-token"] ?? "", "secret", "session"]) {
    assert(!text.includes(secret));
  }
});

Deno.test("allowedUsers: tokens, credentials and /role/ are for these users, each token for one", async () => {
  const fake = await FakeEndpoint.create({
    allowedUsers: new Set([1000, 1001]),
    containerToken: "secret",
  });
  const issue = async (user?: number) =>
    await fake.ask("/latest/api/token", { method: "PUT", ...(user === undefined ? {} : { user }) });
  const token = await (await issue(1000)).text();
  const paths = [
    "/latest/meta-data/iam/security-credentials/",
    "/latest/meta-data/iam/security-credentials/Demo",
    "/latest/meta-data/iam/security-credentials/%44emo",
    "/latest/meta-data/placement/region",
    "/role/Demo",
  ];
  const headers = { "x-aws-ec2-metadata-token": token, authorization: "secret" };
  const statuses = async (user?: number) =>
    await Promise.all(
      paths.map(async (path) =>
        (await fake.ask(path, { headers, ...(user === undefined ? {} : { user }) })).status
      ),
    );
  assertEquals(await statuses(1000), [200, 200, 200, 200, 200]);
  assertEquals(await statuses(1001), [401, 401, 401, 401, 200]);
  for (const user of [1002, 0, undefined]) {
    assertEquals(await statuses(user), [403, 403, 403, 403, 403]);
    assertEquals((await issue(user)).status, 403);
    assertEquals((await fake.ask("/healthz", user === undefined ? {} : { user })).status, 200);
  }
});

Deno.test("roles: the user of each request decides, and each token is for one role", async () => {
  const role = (name: string, region: string): ServedRole => ({
    name,
    arn: `arn:aws:iam::123456789012:role/${name.toUpperCase()}`,
    region,
    containerToken: `token-${name}`,
    credentials: () => ({ ...CREDENTIALS, accessKeyId: name }),
    state: () => ({ name, expiration: undefined, lastRefresh: undefined, lastError: undefined }),
  });
  const [one, two, rest] = [role("one", "r-1"), role("two", "r-2"), role("rest", "r-3")];
  const entries: AccessEntry[] = [];
  const create = async (others: ServedRole | undefined) =>
    await FakeEndpoint.create({
      table: { roles: [one, two, rest], byUser: new Map([[1, one], [2, two]]), others },
      identifiesUsers: true,
      log: (entry) => entries.push(entry),
    });
  const fake = await create(rest);
  const token = async (user: number) => {
    const init = { method: "PUT", user };
    return { "x-aws-ec2-metadata-token": await (await fake.ask(TOKEN, init)).text() };
  };
  for (const [user, { name, region }] of [[1, one], [2, two], [3, rest], [0, rest]] as const) {
    const headers = await token(user);
    const get = async (path: string, as: number = user) => {
      const response = await fake.ask(path, { headers, user: as });
      return [response.status, await response.text()] as const;
    };
    assertEquals(await get(ROLES), [200, name.toUpperCase()]);
    assertEquals(await get("/latest/meta-data/placement/region"), [200, region]);
    for (const own of [name, name.toUpperCase(), "default", `%${hex(name)}`]) {
      const [status, body] = await get(`${ROLES}/${own}`);
      assertEquals([status, JSON.parse(body).AccessKeyId], [200, name]);
    }
    for (const other of [one, two, rest].filter((other) => other.name !== name)) {
      assertEquals((await get(`${ROLES}/${other.name}`))[0], 404);
      assertEquals((await get(`${ROLES}/${other.name.toUpperCase()}`))[0], 404);
    }
    for (const thief of [0, 1, 2, 3].filter((thief) => thief !== user)) {
      assertEquals((await get(`${ROLES}/default`, thief))[0], 401);
    }
  }
  assertEquals(entries[0]?.role, "one");

  // Without a role for others. A user that the kernel does not report gets none in either case.
  const limited = await create(undefined);
  for (const [endpoint, user] of [[limited, 3], [limited, undefined], [fake, undefined]] as const) {
    const response = await endpoint.ask(TOKEN, {
      method: "PUT",
      ...(user === undefined ? {} : { user }),
    });
    assertEquals(response.status, 403);
    assertMatch(await response.text(), /has no role; add it to users/);
  }
  for (const { name } of [one, two, rest]) {
    const headers = { authorization: `token-${name}` };
    const statuses = [one, two, rest].map(async (other) =>
      (await limited.ask(`/role/${other.name}`, { headers })).status
    );
    assertEquals(
      await Promise.all(statuses),
      [one, two, rest].map((other) => other.name === name ? 200 : 404),
    );
  }
  const wrong = { headers: { authorization: "token-onf" } };
  assertEquals((await limited.ask("/role/one", wrong)).status, 401);
});

/** Returns the text with its first character in percent encoding, without the sign. */
function hex(text: string): string {
  return text.charCodeAt(0).toString(16) + text.slice(1);
}
