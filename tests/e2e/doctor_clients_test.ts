/** Tests of `doctor`'s findings about the environment in which AWS SDKs look for credentials. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { quoteCommandLine } from "../../src/cli/shell_quote.ts";
import type { FindingName } from "../../src/cli/doctor/finding.ts";
import { BINARY, QUOTED_BINARY, runBinary } from "../support/binary.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { freePort } from "../support/free_port.ts";
import { ARN_FLAGS, SessionScenario } from "../support/session_scenario.ts";

type Environment = Readonly<Record<string, string>>;

interface Finding {
  readonly level: string;
  readonly name: FindingName;
  readonly message: string;
}

/** Names of the findings that this file tests. */
const NAMES: readonly FindingName[] = [
  "profile",
  "profile-missing",
  "profile-command",
  "profile-program",
  "profile-relative",
  "profile-shell",
  "profile-unknown",
  "other-provider",
  "endpoint",
  "endpoint-variable",
  "endpoint-unreachable",
  "endpoint-slash",
  "container-token",
  "metadata-proxied",
  "metadata-disabled",
  "static-credentials",
];

async function findingsOf(
  scenario: SessionScenario,
  env: Environment,
  args: readonly string[] = scenario.flags,
): Promise<{ all: readonly Finding[]; named: readonly Finding[]; code: number }> {
  const files = {
    AWS_CONFIG_FILE: scenario.directory.join("aws/config"),
    AWS_SHARED_CREDENTIALS_FILE: scenario.directory.join("aws/credentials"),
  };
  const { code, stdout, stderr } = await runBinary(["doctor", "--json", ...args], {
    env: { ...files, ...env },
  });
  assertStringIncludes(stdout, '"findings"', stderr);
  const all: Finding[] = JSON.parse(stdout).findings;
  return { all, named: all.filter(({ name }) => NAMES.includes(name)), code };
}

const PROXY = { HTTP_PROXY: "http://proxy.example:3128" };
const TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/** Each case: variables (PORT is the port of a running serve), files, and the findings. */
const CASES: readonly {
  readonly name: string;
  readonly env: Environment;
  readonly config?: string;
  readonly credentials?: string;
  readonly finds: readonly (readonly [FindingName, RegExp])[];
}[] = [
  { name: "nothing set", env: {}, finds: [] },
  {
    name: "serve's own line",
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:PORT/" },
    finds: [["endpoint", /^AWS_EC2_METADATA_SERVICE_ENDPOINT: 127\.0\.0\.1:\d+ accepts/]],
  },
  {
    name: "serve's line without its slash",
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:PORT" },
    finds: [["endpoint-slash", /AWS CLI 2\.9/], ["endpoint", /accepts/]],
  },
  {
    name: "endpoints where nothing listens",
    env: {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:FREE/",
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:FREE/role/Demo",
      AWS_METADATA_ENDPOINT: "http://[::1]:FREE",
    },
    finds: [
      [
        "endpoint-unreachable",
        /^AWS_EC2_METADATA_SERVICE_ENDPOINT: nothing accepts .* 127\.0\.0\.1:\d+/,
      ],
      ["endpoint-unreachable", /^AWS_CONTAINER_CREDENTIALS_FULL_URI: nothing accepts/],
      ["endpoint-unreachable", /^AWS_METADATA_ENDPOINT: nothing accepts .* \[::1\]:\d+/],
    ],
  },
  {
    name: "an endpoint that is not a URL",
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "127.0.0.1:9911/" },
    finds: [["endpoint-variable", /is not an http URL/]],
  },
  {
    name: "a token file that does not exist",
    env: { [TOKEN_FILE]: "/nonexistent/token" },
    finds: [[
      "container-token",
      /^AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: the file cannot be read/,
    ]],
  },
  {
    name: "HTTP_PROXY without NO_PROXY",
    env: PROXY,
    finds: [["metadata-proxied", /^HTTP_PROXY is set, .*add 127\.0\.0\.1 to NO_PROXY$/]],
  },
  {
    name: "http_proxy and a NO_PROXY that names only localhost",
    env: { http_proxy: "http://proxy.example:3128", NO_PROXY: "localhost" },
    finds: [["metadata-proxied", /^http_proxy is set/]],
  },
  {
    name: "HTTP_PROXY and NO_PROXY=127.0.0.1",
    env: { ...PROXY, NO_PROXY: "127.0.0.1" },
    finds: [],
  },
  { name: "HTTP_PROXY and a network", env: { ...PROXY, no_proxy: "127.0.0.0/8" }, finds: [] },
  {
    name: "HTTP_PROXY and an endpoint that NO_PROXY does not list",
    env: {
      ...PROXY,
      NO_PROXY: "127.0.0.1",
      AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://localhost:PORT/",
    },
    finds: [["endpoint", /localhost/], ["metadata-proxied", /add localhost to NO_PROXY/]],
  },
  {
    name: "the metadata service disabled",
    env: { AWS_EC2_METADATA_DISABLED: "TRUE" },
    finds: [["metadata-disabled", /AWS_EC2_METADATA_DISABLED is true/]],
  },
  {
    name: "static keys in variables",
    env: { AWS_ACCESS_KEY_ID: "AKIDSECRETID", AWS_SECRET_ACCESS_KEY: "hunter2hunter2" },
    finds: [["static-credentials", /AWS_ACCESS_KEY_ID is set/]],
  },
  {
    name: "a web identity",
    env: { AWS_WEB_IDENTITY_TOKEN_FILE: "/t", AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/x" },
    finds: [["other-provider", /AWS_WEB_IDENTITY_TOKEN_FILE is set/]],
  },
  {
    name: "a container's URI before the metadata endpoint",
    env: {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:PORT/",
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/x",
    },
    finds: [["endpoint", /accepts/], ["other-provider", /RELATIVE_URI is set/]],
  },
  {
    name: "keys and a role in the default profile before serve",
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:PORT/" },
    config: "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = y\n",
    credentials:
      "[default]\naws_access_key_id = AKIDSECRETID\naws_secret_access_key = hunter2hunter2\n",
    finds: [
      ["endpoint", /accepts/],
      ["other-provider", /^\[default\] in .*credentials has keys, which SDKs use before serve/],
      ["other-provider", /^\[default\] in .*config sets role_arn/],
    ],
  },
  {
    name: "a role that is assumed with serve's credentials",
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:PORT/", AWS_PROFILE: "p" },
    config: "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/x\n" +
      "credential_source = Ec2InstanceMetadata\n",
    finds: [["endpoint", /accepts/]],
  },
  {
    name: "AWS_PROFILE of a profile that is nowhere",
    env: { AWS_PROFILE: "nowhere" },
    config: "[default]\nregion = us-east-1\n",
    finds: [["profile-unknown", /^AWS_PROFILE is nowhere, which is not in /]],
  },
];

Deno.test("doctor finds settings that keep SDKs from the credentials of serve", async (t) => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario);
  const free = freePort();
  for (const { name, env, config = "", credentials = "", finds } of CASES) {
    await t.step(name, async () => {
      scenario.directory.write("aws/config", config);
      scenario.directory.write("aws/credentials", credentials);
      const filled = Object.entries(env).map(([key, value]) => [
        key,
        value.replace("PORT", String(serve.port)).replace("FREE", String(free)),
      ]);
      // Requests to the service's endpoint use no proxy.
      const { all, named } = await findingsOf(scenario, Object.fromEntries(filled), [
        ...scenario.flags,
        "--with-proxy=false",
      ]);
      assertEquals(named.map((finding) => finding.name), finds.map(([finding]) => finding));
      for (const [i, [, pattern]] of finds.entries()) assertMatch(named[i]?.message ?? "", pattern);
      const text = JSON.stringify(all);
      for (const secret of ["hunter2", "AKIDSECRETID"]) assertEquals(text.includes(secret), false);
    });
  }
});

Deno.test("doctor --profile checks the flags of the profile's line as if they were typed", async () => {
  await using scenario = await SessionScenario.create();
  const words = [BINARY, "credential-process", "--cache", ...scenario.flags];
  const write = (line: string, more = "") =>
    scenario.directory.write(
      "aws/config",
      `[profile  build server]\ncredential_process = x\n[profile x]\ncredential_process = ${line}\n${more}`,
    );
  write(quoteCommandLine(words, "linux"));
  const good = await findingsOf(scenario, {}, ["--profile", "x"]);
  assertEquals([good.code, good.named.map(({ name }) => name)], [0, ["profile"]]);
  for (const name of ["arns", "key", "certificate", "network"]) {
    assertEquals(good.all.some((finding) => finding.name === name), true, name);
  }

  // A missing key is a finding, as with typed flags.
  const elsewhere = words.map((word) =>
    word === scenario.identity.keyPath ? "/nonexistent/my key.pem" : word
  );
  write(quoteCommandLine(elsewhere, "linux"));
  const broken = await findingsOf(scenario, {}, ["--profile=x"]);
  assertEquals(broken.code, 1);
  const missing = broken.all.find(({ name }) => name === "key-not-found");
  assertStringIncludes(missing?.message ?? "", "/nonexistent/my key.pem");

  write(
    `~/bin/aws_signing_helper credential-process --certificate $HOME/c.pem --role-arn x`,
    "role_arn = y\n",
  );
  scenario.directory.write("aws/credentials", "[x]\naws_access_key_id = AKIDSECRETID\n");
  const bad = await findingsOf(scenario, {}, ["--profile", "x"]);
  assertEquals(bad.named.map(({ name }) => name), [
    "other-provider",
    "other-provider",
    "profile-shell",
    "profile-program",
    "profile-command",
  ]);
  assertEquals(
    bad.named.map(({ message }) => message.includes("AKIDSECRETID")),
    Array(5).fill(false),
  );
  assertMatch(
    bad.named[3]?.message ?? "",
    /the program of credential_process does not exist/,
  );
  assertMatch(bad.named[4]?.message ?? "", /--profile-arn, --trust-anchor-arn/);
  // There are no findings on flags that could not be read.
  assertEquals(bad.all.some(({ name }) => name === "arn-missing"), false);
});

for (
  const [quote, finding] of [["'", "profile"], ['"', "profile"], ["", "profile-command"]] as const
) {
  Deno.test(`doctor --profile reports ${finding} for a path with a space in ${quote || "no"} quotes`, async () => {
    await using scenario = await SessionScenario.create();
    const { directory, identity } = scenario;
    const certificate = directory.write("my files/cert.pem", identity.certificatePem);
    const key = directory.write("my files/key.pem", identity.keyPem);
    const files =
      `--certificate ${quote}${certificate}${quote} --private-key ${quote}${key}${quote}`;
    directory.write(
      "aws/config",
      `[profile x]\ncredential_process = ${QUOTED_BINARY} credential-process ${files} ` +
        `${scenario.serviceFlags.join(" ")}\n`,
    );
    const { named, all } = await findingsOf(scenario, {}, ["--profile", "x"]);
    assertEquals(named.map(({ name }) => name), [finding]);
    assertEquals(all.some(({ name }) => name === "key"), finding === "profile");
  });
}

Deno.test("doctor --profile warns of paths that depend on the directory", async () => {
  await using scenario = await SessionScenario.create();
  const { directory } = scenario;
  const write = (flags: string) =>
    directory.write(
      "aws/config",
      `[profile x]\ncredential_process = ${QUOTED_BINARY} credential-process ${flags}\n`,
    );
  const arns = ARN_FLAGS.join(" ");
  write(`--certificate c.pem --private-key pkcs11:?pin-source=pin.txt ${arns} --ca-bundle /a.pem`);
  const relative = await findingsOf(scenario, {}, ["--profile", "x"]);
  const [found] = relative.all.filter(({ name }) => name === "profile-relative");
  assertMatch(
    found?.message ?? "",
    /: --certificate, --private-key: SDKs start the program in any/,
  );
  write(
    "--certificate /c.pem --private-key pkcs11:?pin-source=file:/pin.txt&module-path=p11-kit-proxy.so " +
      `--pkcs11-lib p11-kit-proxy.so ${arns}`,
  );
  const absolute = await findingsOf(scenario, {}, ["--profile", "x"]);
  assertEquals(absolute.all.some(({ name }) => name === "profile-relative"), false);
});

for (
  const [config, pattern] of [
    ["", /^\[profile x\] in .*config does not exist/],
    ["[profile x]\nregion = us-east-1\n", /^\[profile x\] in .*config has no credential_process/],
    [
      `[profile x]\ncredential_process = ${QUOTED_BINARY} version\n`,
      /does not run credential-process/,
    ],
    [`[profile x]\ncredential_process = ${QUOTED_BINARY} 'credential\n`, /has no closing '/],
    [
      `[profile x]\ncredential_process = ${QUOTED_BINARY} credential-process --certifcate a\n`,
      /unknown flag/,
    ],
  ] as const
) {
  Deno.test(`doctor --profile reports ${pattern}`, async () => {
    await using scenario = await SessionScenario.create();
    scenario.directory.write("aws/config", config);
    const { named, code } = await findingsOf(scenario, {}, ["--profile", "x"]);
    assertEquals([code, named.length], [1, 1]);
    assertMatch(named[0]?.message ?? "", pattern);
  });
}

Deno.test("doctor accepts either --profile or the flags of a command line", async () => {
  const args = ["doctor", "--profile", "x", "--certificate", "c.pem"];
  const { code, stdout, stderr } = await runBinary(args);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "--profile and --certificate cannot be used together");
});
