import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";

import type { StsFailure } from "../emulator/assume_role_service.ts";
import { runBinary } from "../support/binary.ts";
import { ChainScenario, LAST, MIDDLE } from "../support/chain_scenario.ts";
import { ConnectProxy } from "../support/connect_proxy.ts";
import { ENDLESS, type EndlessResponse, HostileService } from "../support/hostile_service.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { ARNS } from "../support/session_scenario.ts";

const CHAIN = ["--assume-role-arn", MIDDLE, "--assume-role-arn", LAST] as const;

type Env = Readonly<Record<string, string>>;

async function run(scenario: ChainScenario, args: readonly string[], env: Env = {}) {
  return await runBinary(["credential-process", ...scenario.flags, ...args], { env });
}

/** Returns the scenario's flags without `--sts-endpoint` and `--endpoint`. */
function flagsWithoutEndpoints({ flags }: ChainScenario): string[] {
  const at = (name: string) => flags.indexOf(name);
  return flags.filter((_, i) =>
    ["--endpoint", "--sts-endpoint"].every((name) => i !== at(name) && i !== at(name) + 1)
  );
}

Deno.test("credential-process assumes the roles in order and prints the last one's session", async () => {
  await using scenario = await ChainScenario.create({ [LAST]: "unique:id/1+2=3,@x.-" });
  const { code, stdout, stderr } = await run(scenario, [
    ...CHAIN,
    "--assume-role-external-id",
    "unique:id/1+2=3,@x.-",
    "--assume-role-session-name",
    "a+b=c,d.e@f-g_h",
    "--assume-role-duration",
    "1800",
  ]);
  assertEquals([code, stderr], [0, ""]);
  const { sts, session } = scenario;
  const [middle, last] = sts.issued;
  assert(middle && last);
  assertEquals(JSON.parse(stdout), {
    Version: 1,
    AccessKeyId: last.accessKeyId,
    SecretAccessKey: last.secretAccessKey,
    SessionToken: last.sessionToken,
    Expiration: last.expiration.replace(/\.\d+Z/, "Z"),
  });
  assertEquals(scenario.assumed, [MIDDLE, LAST]);
  assertEquals([middle.callerKey, last.callerKey], [
    session.emulator.issued[0]?.accessKeyId,
    middle.accessKeyId,
  ]);
  assertEquals([middle.durationSeconds, last.durationSeconds], [900, 1800]);
  for (const { sessionName, externalId } of sts.issued) {
    assertEquals([sessionName, externalId], ["a+b=c,d.e@f-g_h", "unique:id/1+2=3,@x.-"]);
  }
  assertEquals(sts.calls.map((call) => "region" in call && call.region), [
    "us-east-1",
    "us-east-1",
  ]);
});

Deno.test("credential-process names the chained session by the certificate's serial number", async () => {
  await using scenario = await ChainScenario.create();
  const { code, stderr } = await run(scenario, ["--assume-role-arn", LAST]);
  assertEquals([code, stderr], [0, ""]);
  const { stdout } = await runBinary([
    "read-certificate-data",
    "--certificate",
    scenario.session.identity.certificatePath,
  ]);
  const serial = BigInt(JSON.parse(stdout).serialNumber).toString(16);
  const [{ sessionName, externalId, durationSeconds } = {}] = scenario.sts.issued;
  assertEquals(sessionName, serial.padStart(serial.length + serial.length % 2, "0"));
  assertEquals([externalId, durationSeconds], [null, 3600]);
});

Deno.test("credential-process takes several roles from a variable, and nothing from an empty value", async () => {
  await using scenario = await ChainScenario.create();
  const { code } = await run(scenario, ["--role-session-name", "from-first"], {
    AWS_SIGNING_HELPER_ASSUME_ROLE_ARN: ` ${MIDDLE}\n ${LAST} `,
  });
  assertEquals([code, scenario.assumed], [0, [MIDDLE, LAST]]);
  assertEquals(scenario.sts.issued[0]?.sessionName, "from-first");
  const { code: without, stdout } = await run(scenario, ["--assume-role-arn", ""]);
  assertEquals(without, 0);
  assertEquals(JSON.parse(stdout).AccessKeyId, scenario.session.emulator.issued[1]?.accessKeyId);
});

// Wrong flags, and the expected message.
const WRONG: readonly [flags: readonly string[], message: RegExp][] = [
  [["--assume-role-arn", "Last"], /^--assume-role-arn "Last" is not an ARN of the form arn:/m],
  [
    ["--assume-role-arn", MIDDLE, "arn:aws:iam::1:role/x"],
    /^--assume-role-arn \(number 2\) has an account that is not 12 digits; /m,
  ],
  [
    ["--assume-role-arn", LAST.replace("arn:aws:", "arn:aws-cn:")],
    /partition aws-cn and the trust/,
  ],
  [
    ["--assume-role-arn", LAST.replace(":role/", ":user/")],
    /is the ARN of another kind \(iam user\); write that of a role/,
  ],
  [
    [...CHAIN, "--assume-role-duration", "7200"],
    /--assume-role-duration is "7200"; it must be .* 900 to 3600; AWS limits role chaining to one hour/,
  ],
  [[...CHAIN, "--assume-role-duration", "899"], /whole number of 900 to 3600/],
  [[...CHAIN, "--assume-role-session-name", "a b"], /session-name "a b" must be 2 to 64 letters/],
  [
    [...CHAIN, "--assume-role-session-name", "x".repeat(65)],
    /session-name must be 2 to 64 letters/,
  ],
  [[...CHAIN, "--assume-role-external-id", "x"], /external-id "x" must be 2 to 1224 letters/],
  [
    [...CHAIN, "--assume-role-external-id", "ü".repeat(20)],
    /external-id must be 2 to 1224 letters/,
  ],
  [[...CHAIN, "--assume-role-external-id", "x".repeat(1225)], /external-id must be 2 to 1224/],
  [["--assume-role-external-id", "id"], /^--assume-role-external-id needs --assume-role-arn$/m],
  [
    Array.from({ length: 9 }, () => ["--assume-role-arn", LAST]).flat(),
    /9 roles; assume at most 8/,
  ],
  [[...CHAIN, "--sts-endpoint", "http://sts.invalid"], /--sts-endpoint .* would send credentials/],
  [[...CHAIN, "--sts-endpoint", "sts"], /--sts-endpoint is not a URL such as https:\/\/sts\./],
];

for (const [flags, message] of WRONG) {
  const shown = flags.join(" ").slice(0, 150);
  Deno.test(`credential-process refuses ${shown} before anything is sent`, async () => {
    await using scenario = await ChainScenario.create();
    const { code, stdout, stderr } = await run(scenario, flags);
    assertEquals([code, stdout], [2, ""], stderr);
    assertMatch(stderr.replace(/^\w+: /, ""), message);
    assertEquals([scenario.session.emulator.requests.length, scenario.sts.calls.length], [0, 0]);
  });
}

// Failures of the second hop: exit code, message, and number of calls of that hop.
const FAILURES: readonly [StsFailure, code: number, message: string, calls: number][] = [
  ["access-denied", 4, "AccessDenied: User: demo is not authorized", 1],
  ["region-disabled", 4, "RegionDisabledException: STS is not activated", 1],
  ["throttled", 5, "Throttling: Rate exceeded", 5],
  ["unavailable", 5, "ServiceUnavailable: Try again", 5],
  ["malformed-xml", 1, "HTTP 200 with a body that is not STS's XML; check --sts-endpoint", 1],
  ["malformed-error", 1, "HTTP 403 without an error of AWS STS; check --sts-endpoint", 1],
  ["large-xml", 1, "HTTP 200 with a body that is not STS's XML", 1],
  ["giant-xml", 1, "a response larger than 1048576 bytes", 1],
  ["deep-xml", 1, "HTTP 200 with a body that is not STS's XML", 1],
  ["endless-xml", 1, "a response larger than 1048576 bytes", 1],
  ["doctype", 1, "HTTP 200 with a body that is not STS's XML", 1],
  ["other-document", 1, "HTTP 200 with a body that is not STS's XML", 1],
  ["two-sets", 1, "HTTP 200 with credentials without a valid Expiration", 1],
  ["no-token", 1, "HTTP 200 with credentials without a valid SessionToken", 1],
  ["line-in-token", 1, "HTTP 200 with credentials without a valid SessionToken", 1],
  ["bad-expiration", 1, "HTTP 200 with an expiration that is not a time", 1],
  ["expired", 5, "the session from the service expired", 1],
  ["html", 1, "HTTP 200 with a body of another type than XML; check --sts-endpoint", 1],
  ["html-403", 1, "HTTP 403 without an error of AWS STS; check --sts-endpoint", 1],
  ["wrong-type", 1, "HTTP 200 with a body of another type than XML", 1],
];

for (const [failure, expected, message, calls] of FAILURES) {
  Deno.test(`credential-process names the role that could not be assumed: ${failure}`, async () => {
    await using scenario = await ChainScenario.create();
    scenario.sts.fail(LAST, failure);
    const { code, stdout, stderr } = await run(scenario, [...CHAIN, "--debug"]);
    assertEquals([code, stdout], [expected, ""], stderr);
    const error = stderr.trimEnd().split("\n").at(-1) ?? "";
    assertStringIncludes(error, `${LAST}: `);
    assertStringIncludes(error, message);
    assertEquals(scenario.sts.calls.length, 1 + calls);
    assertEquals(scenario.assumed, [MIDDLE]);
    assertNoSecrets(scenario, stderr);
  });
}

function assertNoSecrets({ session, sts }: ChainScenario, text: string): void {
  assertGreater(text.length, 0);
  for (const one of [...session.emulator.issued, ...sts.issued]) {
    for (const secret of [one.accessKeyId, one.secretAccessKey, one.sessionToken]) {
      assertEquals(text.includes(secret ?? ""), false, "a secret is shown");
    }
  }
}

Deno.test("credential-process --debug names each hop and shows neither secrets nor the external ID", async () => {
  await using scenario = await ChainScenario.create();
  const id = "an-external-id-that-is-not-shown";
  const { code, stderr } = await run(scenario, [
    ...CHAIN,
    "--debug",
    "--assume-role-external-id",
    id,
  ]);
  assertEquals(code, 0);
  assertMatch(stderr, /^debug: assuming \S+Middle \(1 of 2\) as [0-9a-f]+ for 900 s, with an ext/m);
  assertMatch(stderr, /^debug: assuming \S+Last \(2 of 2\) as [0-9a-f]+ for 3600 s, with an ext/m);
  assertStringIncludes(stderr, `debug: POST ${scenario.sts.localhost}/`);
  assertEquals(stderr.includes(id), false);
  assertNoSecrets(scenario, stderr);
});

Deno.test("credential-process accepts STS's XML without a content type, and retries a throttled hop", async () => {
  await using scenario = await ChainScenario.create();
  scenario.sts.fail(MIDDLE, "too-many", 2);
  scenario.sts.fail(LAST, "no-type", 1);
  const { code, stderr } = await run(scenario, CHAIN);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(scenario.sts.calls.length, 4);
});

for (const [name, endless] of Object.entries<EndlessResponse>(ENDLESS)) {
  if (endless.pause !== undefined) continue;
  Deno.test(`credential-process refuses ${name} without end from STS`, async () => {
    await using scenario = await ChainScenario.create();
    await using service = new HostileService(() => endless);
    const flags = [...CHAIN, "--sts-endpoint", service.url];
    const { code, stdout, stderr } = await run(scenario, flags);
    assertEquals([code, stdout, service.requests], [1, "", 1], stderr);
    assertMatch(
      stderr,
      /Middle: \S+: the response is not the service's \([a-zA-Z0-9 /.]+\); check --sts-endpoint\n$/,
    );
  });
}

Deno.test("credential-process exits with 6 if STS cannot be reached, and names the setting", async () => {
  await using scenario = await ChainScenario.create();
  const closed = await closedPort();
  const { code, stdout, stderr } = await run(scenario, [
    ...CHAIN,
    "--sts-endpoint",
    `https://localhost:${closed}`,
  ]);
  assertEquals([code, stdout], [6, ""]);
  assertStringIncludes(
    stderr,
    `${MIDDLE}: localhost:${closed} refuses connections; check --sts-endpoint and the network`,
  );
});

async function closedPort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return await Promise.resolve(port);
}

// Sources of both endpoints; each must reach the same service.
const SOURCES: readonly [string, (sts: string, first: string) => Env, config?: string][] = [
  ["AWS_ENDPOINT_URL_STS", (sts, first) => ({
    AWS_ENDPOINT_URL_STS: sts,
    AWS_ENDPOINT_URL_ROLESANYWHERE: first,
    AWS_ENDPOINT_URL: "https://localhost:9",
  })],
  ["AWS_ENDPOINT_URL", (sts, first) => ({
    AWS_ENDPOINT_URL: sts,
    AWS_ENDPOINT_URL_ROLESANYWHERE: first,
    AWS_USE_FIPS_ENDPOINT: "true",
  })],
  ["AWS_SIGNING_HELPER_STS_ENDPOINT", (sts, first) => ({
    AWS_SIGNING_HELPER_STS_ENDPOINT: sts,
    AWS_ENDPOINT_URL_ROLESANYWHERE: first,
    AWS_ENDPOINT_URL_STS: "https://localhost:9",
  })],
  [
    "the services section",
    () => ({}),
    "[default]\nservices = mine\nendpoint_url = https://localhost:9\n[services mine]\n" +
    "rolesanywhere =\n  endpoint_url = FIRST\nsts =\n  endpoint_url = STS\n",
  ],
];

for (const [name, env, config] of SOURCES) {
  Deno.test(`credential-process finds the endpoint of STS: ${name}`, async () => {
    await using scenario = await ChainScenario.create();
    const first = scenario.session.emulator.url;
    const text = (config ?? "").replace("FIRST", first).replace("STS", scenario.sts.localhost);
    const { code, stderr } = await runBinary(
      ["credential-process", ...flagsWithoutEndpoints(scenario), ...CHAIN],
      {
        env: {
          AWS_CONFIG_FILE: scenario.session.directory.write("config", text),
          ...env(scenario.sts.localhost, first),
        },
      },
    );
    assertEquals([code, stderr], [0, ""]);
    assertEquals(scenario.assumed, [MIDDLE, LAST]);
  });
}

// Settings, and the host of STS that the proxy is asked for. The proxy leads every name to the emulator.
const HOSTS: readonly [name: string, flags: readonly string[], env: Env, host: string][] = [
  ["the region's", [], {}, "sts.us-east-1.amazonaws.com:443"],
  ["--region", ["--region", "eu-west-3"], {}, "sts.eu-west-3.amazonaws.com:443"],
  ["dual-stack", [], { AWS_USE_DUALSTACK_ENDPOINT: "true" }, "sts.us-east-1.api.aws:443"],
  // A URL of IAM Roles Anywhere does not turn FIPS off for STS.
  ["FIPS", [], { AWS_USE_FIPS_ENDPOINT: "true" }, "sts-fips.us-east-1.amazonaws.com:443"],
  [
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    [],
    { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true", AWS_ENDPOINT_URL_STS: "https://localhost:9" },
    "sts.us-east-1.amazonaws.com:443",
  ],
];

for (const [name, flags, env, host] of HOSTS) {
  Deno.test(`credential-process asks the proxy for the endpoint of STS: ${name}`, async () => {
    await using scenario = await ChainScenario.create();
    await using proxy = new ConnectProxy(undefined, scenario.sts.port);
    const first = scenario.session.emulator;
    const given = flagsWithoutEndpoints(scenario);
    const { code, stderr } = await runBinary([
      "credential-process",
      ...given,
      "--endpoint",
      first.url,
      ...flags,
      ...CHAIN,
    ], {
      env: {
        ...env,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
        NO_PROXY: `localhost:${first.port}`,
      },
    });
    // The emulator's certificate is for localhost. Regions other than us-east-1 are refused before.
    if (!flags.includes("--region")) {
      assertEquals(code, 6, stderr);
      assertStringIncludes(stderr, `of ${host.replace(":443", "")} is for another name`);
      assertEquals(proxy.heads.map((head) => head.split(" ")[1]), [host]);
    } else assertEquals(code, 4);
  });
}

Deno.test("credential-process reaches STS through a proxy, and IAM Roles Anywhere without", async () => {
  await using scenario = await ChainScenario.create();
  await using proxy = new ConnectProxy();
  const { code, stderr } = await run(scenario, CHAIN, {
    HTTPS_PROXY: `http://user:p%40ss@127.0.0.1:${proxy.port}`,
    NO_PROXY: `localhost:${scenario.session.emulator.port}`,
  });
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    proxy.heads.map((head) => head.split(" ")[1]),
    Array.from({ length: 2 }, () => `localhost:${scenario.sts.port}`),
  );
});

Deno.test("credential-process --cache, 20 at once, makes one chain; the key has all of its parts", async () => {
  await using scenario = await ChainScenario.create({}, { latencyMilliseconds: 300 });
  const env = { HOME: scenario.session.directory.join("home") };
  const cached = (args: readonly string[]) => run(scenario, ["--cache", ...args], env);
  const results = await Promise.all(Array.from({ length: 20 }, () => cached(CHAIN)));
  assertEquals(results.map(({ code, stderr }) => [code, stderr]), results.map(() => [0, ""]));
  assertEquals(new Set(results.map(({ stdout }) => stdout)).size, 1);
  assertEquals([scenario.session.emulator.requests.length, scenario.sts.calls.length], [1, 2]);
  const variants: (readonly string[])[] = [
    ["--assume-role-arn", LAST],
    ["--assume-role-arn", LAST, MIDDLE],
    [...CHAIN, "--assume-role-session-name", "other"],
    [...CHAIN, "--assume-role-external-id", "other"],
    [...CHAIN, "--assume-role-duration", "1801"],
    [...CHAIN, "--sts-endpoint", scenario.sts.url],
    [],
  ];
  const keys = new Set([results[0]?.stdout]);
  for (const turn of [1, 2]) {
    for (const [i, args] of variants.entries()) {
      const { code, stdout, stderr } = await cached(args);
      assertEquals([code, stderr], [0, ""]);
      keys.add(stdout);
      assertEquals(keys.size, turn === 1 ? i + 2 : variants.length + 1);
    }
  }
  assertEquals(scenario.session.emulator.requests.length, 1 + variants.length);
});

Deno.test("update --once writes the chained credentials, and compares their account", async () => {
  await using scenario = await ChainScenario.create();
  const path = scenario.session.directory.join("credentials");
  const { code, stderr } = await runBinary(["update", ...scenario.flags, ...CHAIN, "--once"], {
    env: { AWS_SHARED_CREDENTIALS_FILE: path },
  });
  assertEquals([code, stderr], [0, ""]);
  const text = Deno.readTextFileSync(path);
  for (const [account, warned] of [[LAST, false], [ARNS.role, true]] as const) {
    Deno.writeTextFileSync(path, `[default]\naws_account_id = ${account.split(":")[4]}\n`);
    const again = await runBinary(["update", ...scenario.flags, ...CHAIN, "--once"], {
      env: { AWS_SHARED_CREDENTIALS_FILE: path },
    });
    assertEquals([
      again.code,
      /names the account \d+, and the role is in 333333333333/.test(again.stderr),
    ], [0, warned]);
  }
  const last = scenario.sts.issued[1];
  assertEquals(last?.role, LAST);
  assertStringIncludes(text, `aws_access_key_id = ${last?.accessKeyId}\n`);
  assertStringIncludes(text, `aws_session_token = ${last?.sessionToken}\n`);
});

const PATH = "/latest/meta-data/iam/security-credentials/";

Deno.test("serve vends the last role, refreshes by its expiry, and keeps it while a hop fails", async () => {
  await using scenario = await ChainScenario.create();
  await using serve = await ServeProcess.start(
    scenario,
    [...CHAIN, "--assume-role-duration", "900", "--container-credentials"],
  );
  const served = async () => await (await serve.get(`${PATH}Last`)).json();
  const first = await served();
  const last = scenario.sts.issued.at(-1);
  assert(last);
  assertEquals([first.AccessKeyId, first.Token], [last.accessKeyId, last.sessionToken]);
  assertEquals(first.Expiration, last.expiration.replace(/\.\d+Z/, "Z"));
  assertEquals(await (await serve.get(PATH)).text(), "Last");
  const other = await serve.get(`${PATH}Demo`);
  assertEquals([other.status, await other.text() === ""], [404, false]);
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url = "", AWS_CONTAINER_AUTHORIZATION_TOKEN: token } =
    await serve.exported();
  assertMatch(url, /\/role\/Last$/);
  const container = await fetch(url, { headers: { authorization: token ?? "" } });
  assertEquals((await container.json()).RoleArn, LAST);
  // The first session lives an hour, the last one 15 minutes: the next refresh is within those.
  const line = serve.binary.lines.find((line) => /the next refresh is at/.test(line)) ?? "";
  const [, next = ""] = /next refresh is at (\S+)$/.exec(line) ?? [];
  assertGreater(Date.parse(last.expiration), Date.parse(next));
});

Deno.test("serve keeps the last good session when hop 2 is refused, and backs off", async () => {
  // Sessions that end soon are refreshed soon: the emulator of STS shortens the last one's.
  await using scenario = await ChainScenario.create();
  scenario.sts.shortenSessions(LAST, 8);
  await using serve = await ServeProcess.start(scenario, CHAIN);
  const served = async () => await (await serve.get(`${PATH}Last`)).json();
  assertEquals((await served()).AccessKeyId, scenario.sts.issued.at(-1)?.accessKeyId);
  const good = scenario.sts.issued.at(-1);
  scenario.sts.fail(LAST, "access-denied");
  const from = serve.binary.lines.length;
  const before = Date.now();
  const line = await serve.binary.waitForLine(/warning: the refresh failed/, from);
  assertStringIncludes(line, `the refresh failed: ${LAST}: AccessDenied: User: demo`);
  assertStringIncludes(line, "the credentials are valid until");
  const [, next = ""] = /the next attempt is at (\S+)$/.exec(line) ?? [];
  assertGreater(Date.parse(next), before);
  assertEquals(scenario.assumed.filter((role) => role === MIDDLE).length >= 2, true);
  const response = await serve.get(`${PATH}Last`);
  const text = await response.text();
  if (Date.parse(good?.expiration ?? "") > Date.now() + 1000) {
    assertEquals(JSON.parse(text).AccessKeyId, good?.accessKeyId);
  }
  const health = await (await serve.get("/healthz")).json();
  assertEquals(health.lastError?.code, "service-refused");
  assertNoSecrets(scenario, serve.binary.lines.join("\n"));
});

Deno.test("serve exits with the chain's code if the first chain fails", async () => {
  await using scenario = await ChainScenario.create();
  scenario.sts.fail(LAST, "access-denied");
  const { code, stderr } = await runBinary(["serve", ...scenario.flags, "--port=0", ...CHAIN]);
  assertEquals(code, 4);
  assertStringIncludes(stderr, `${LAST}: AccessDenied`);
  assertEquals(stderr.includes("Starting server"), false);
});

Deno.test("configure stores the flags of a chain", async () => {
  await using scenario = await ChainScenario.create();
  const { code, stdout } = await runBinary([
    "configure",
    ...scenario.flags,
    ...CHAIN,
    "--assume-role-external-id",
    "id",
  ]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, `--assume-role-arn ${MIDDLE} ${LAST} `);
  assertStringIncludes(stdout, "--assume-role-external-id id");
  assertStringIncludes(stdout, `--sts-endpoint ${scenario.sts.localhost}`);
  assertStringIncludes(stdout, `--role-arn ${ARNS.role}`);
});
