import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runBinary, runProgram } from "../support/binary.ts";
import { ConnectProxy } from "../support/connect_proxy.ts";
import { testWith } from "../support/needs.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";
import { PYTHON } from "../support/tools.ts";

/** A configuration file and environment; botocore reports their meaning. */
interface Case {
  readonly name: string;
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const NESTED = "\n[services local]\ns3 =\n  endpoint_url = https://s3.example\nrolesanywhere =\n" +
  "  endpoint_url = https://nested.example:444\n  other = x\n";

const CASES: readonly Case[] = [
  { name: "no file" },
  { name: "an empty file", config: "" },
  { name: "an endpoint", config: "[default]\nendpoint_url = https://one.example\n" },
  { name: "an endpoint with a port", config: "[default]\nendpoint_url=https://one.example:8443" },
  { name: "capitals", config: "[default]\nEndpoint_URL : https://one.example\n" },
  { name: "another profile's", config: "[profile x]\nendpoint_url = https://one.example\n" },
  {
    name: "the profile in use",
    config: "[profile x]\nendpoint_url = https://one.example\n",
    env: { AWS_PROFILE: "x" },
  },
  {
    name: "a quoted profile",
    config: '[profile "my x"]\nendpoint_url = https://one.example\n',
    env: { AWS_PROFILE: "my x" },
  },
  {
    name: "blanks in the header",
    config: "[profile   x ]\nendpoint_url = https://one.example\n",
    env: { AWS_PROFILE: "x" },
  },
  { name: "[profile default]", config: "[profile default]\nendpoint_url = https://one.example\n" },
  {
    name: "both defaults",
    config:
      "[default]\nendpoint_url = https://one.example\n[profile default]\nendpoint_url = https://two.example\n",
  },
  { name: "[DEFAULT]", config: "[DEFAULT]\nendpoint_url = https://one.example\n" },
  { name: "comments", config: "# a\n[default]\n; b\nendpoint_url = https://one.example\n # c\n" },
  { name: "FIPS", config: "[default]\nuse_fips_endpoint = true\n" },
  { name: "FIPS in capitals", config: "[default]\nuse_fips_endpoint = TRUE\n" },
  { name: "FIPS of 1", config: "[default]\nuse_fips_endpoint = 1\n" },
  { name: "FIPS off", config: "[default]\nuse_fips_endpoint = false\n" },
  {
    name: "FIPS by variable over the file",
    config: "[default]\nuse_fips_endpoint = true\n",
    env: { AWS_USE_FIPS_ENDPOINT: "false" },
  },
  { name: "dual-stack", config: "[default]\nuse_dualstack_endpoint = true\n" },
  {
    name: "FIPS and dual-stack",
    config: "[default]\nuse_dualstack_endpoint = true\nuse_fips_endpoint = true\n",
  },
  { name: "services", config: `[default]\nservices = local\n${NESTED}` },
  {
    name: "services over endpoint_url",
    config: `[default]\nservices = local\nendpoint_url = https://one.example\n${NESTED}`,
  },
  {
    name: "FIPS with an endpoint's URL",
    env: { AWS_ENDPOINT_URL: "https://e.example", AWS_USE_FIPS_ENDPOINT: "true" },
  },
  {
    name: "FIPS by variable with an endpoint's URL in the file",
    config: "[default]\nendpoint_url = https://one.example\n",
    env: { AWS_USE_FIPS_ENDPOINT: "true" },
  },
  {
    name: "dual-stack in the file with an endpoint's URL",
    config: "[default]\nuse_dualstack_endpoint = true\n",
    env: { AWS_ENDPOINT_URL: "https://e.example" },
  },
  { name: "other services", config: `[default]\nservices = none\n${NESTED}` },
  {
    name: "a services section without the service",
    config:
      "[default]\nservices = local\nendpoint_url = https://one.example\n[services local]\ns3 =\n  endpoint_url = https://s3.example\n",
  },
  {
    name: "the variable over the file",
    config: `[default]\nservices = local\n${NESTED}`,
    env: { AWS_ENDPOINT_URL: "https://all.example" },
  },
  {
    name: "the service's variable over the general one",
    env: {
      AWS_ENDPOINT_URL: "https://all.example",
      AWS_ENDPOINT_URL_ROLESANYWHERE: "https://own.example",
    },
  },
  {
    name: "endpoints ignored by variable",
    config: `[default]\nservices = local\n${NESTED}`,
    env: { AWS_ENDPOINT_URL: "https://all.example", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
  },
  {
    name: "endpoints not ignored by variable",
    env: { AWS_ENDPOINT_URL: "https://all.example", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false" },
  },
  {
    name: "endpoints ignored by the file",
    config:
      "[default]\nignore_configured_endpoint_urls = true\nendpoint_url = https://one.example\n",
  },
  {
    name: "a bundle",
    config: "[default]\nca_bundle = /nonexistent/bundle.pem\n",
  },
  {
    name: "a bundle by variable over the file",
    config: "[default]\nca_bundle = /nonexistent/bundle.pem\n",
    env: { AWS_CA_BUNDLE: "/nonexistent/other.pem" },
  },
  {
    name: "Windows line ends and a tab",
    config: "[default]\r\nendpoint_url\t=\thttps://one.example\r\nregion = x\r\n",
  },
];

const CLIENT = fileURLToPath(new URL("python/resolve_settings.py", import.meta.url));

/** Returns a case for another service than IAM Roles Anywhere. */
function caseOf(service: string, { name, config, env = {} }: Case): Case {
  const change = (text: string) =>
    text.replaceAll("rolesanywhere", service).replaceAll("ROLESANYWHERE", service.toUpperCase());
  return {
    name,
    ...(config === undefined ? {} : { config: change(config) }),
    env: Object.fromEntries(Object.entries(env).map(([key, value]) => [change(key), value])),
  };
}

for (const service of ["rolesanywhere", "sts"]) {
  testWith(
    ["python-client"],
    `the binary reads settings of ${service} like botocore`,
    async (t) => {
      await using scenario = await SessionScenario.create();
      const { directory, identity, emulator } = scenario;
      // The proxy records the target of the binary, and refuses.
      await using proxy = new ConnectProxy("HTTP/1.1 403 Forbidden\r\n\r\n");
      const at = scenario.serviceFlags.indexOf("--endpoint");
      const isSts = service === "sts";
      const flags = [
        ...["--certificate", identity.certificatePath, "--private-key", identity.keyPath],
        // The session to assume a role with comes from the emulator.
        ...(isSts ? scenario.serviceFlags : scenario.serviceFlags.slice(0, at)),
        ...(isSts ? ["--assume-role-arn", ARNS.role] : []),
      ];
      for (const [i, given] of CASES.entries()) {
        const { name, config, env = {} } = caseOf(service, given);
        await t.step(name, async () => {
          const path = config === undefined
            ? directory.join("no config")
            : directory.write(`config-${i}`, config);
          const variables = { AWS_CONFIG_FILE: path, AWS_EC2_METADATA_DISABLED: "true", ...env };
          const judged = await runProgram(PYTHON, [CLIENT, service], { env: variables });
          assertEquals(judged.stderr, "");
          const expected: { url?: string; bundle?: string | null; error?: string } = JSON.parse(
            judged.stdout,
          );
          // A missing section is an error for botocore; the binary continues without it.
          assertEquals(
            expected.error,
            name === "other services" ? "InvalidConfigError" : undefined,
          );
          const { url = `https://${service}.us-east-1.amazonaws.com` } = expected;
          const seen = proxy.heads.length;
          const { code, stderr } = await runBinary(["credential-process", ...flags], {
            env: {
              ...variables,
              HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
              NO_PROXY: `localhost:${emulator.port}`,
            },
          });
          if (expected.bundle && !isSts) {
            assertEquals(
              [code, stderr.includes(`${expected.bundle} cannot be read`)],
              [2, true],
              stderr,
            );
            return;
          }
          assertEquals(code, 6, stderr);
          const { hostname, port } = new URL(url);
          const target = /^CONNECT (\S+) /.exec(proxy.heads[seen] ?? "")?.[1];
          assertEquals(target, `${hostname}:${port || 443}`);
        });
      }
    },
  );
}

Deno.test("flags and the program's own variables win over settings of AWS SDKs", async () => {
  await using scenario = await SessionScenario.create();
  const { directory, emulator, caBundle, identity } = scenario;
  const config = directory.write("config", "[default]\nendpoint_url = https://127.0.0.1:9\n");
  const env = { AWS_CONFIG_FILE: config };
  const flagged = await runBinary(["credential-process", ...scenario.flags], { env });
  assertEquals([flagged.code, flagged.stderr], [0, ""]);
  const at = scenario.flags.indexOf("--endpoint");
  const args = ["credential-process", ...scenario.flags.slice(0, at), "--ca-bundle", caBundle];
  const variable = await runBinary(args, {
    env: { ...env, AWS_SIGNING_HELPER_ENDPOINT: emulator.url, AWS_ENDPOINT_URL: "https://x" },
  });
  assertEquals([variable.code, variable.stderr], [0, ""]);
  // All of it from the file.
  directory.write(
    "config",
    `[default]\nendpoint_url = ${emulator.url}\nca_bundle = ${caBundle}\n`,
  );
  const bare = [
    ...["credential-process", "--certificate", identity.certificatePath],
    ...["--private-key", identity.keyPath, ...scenario.serviceFlags.slice(0, 6)],
  ];
  const fromFile = await runBinary([...bare, "--debug"], { env });
  assertEquals(fromFile.code, 0, fromFile.stderr);
  assert(fromFile.stderr.includes(`debug: using endpoint_url of [default] in ${config}\n`));
});

Deno.test("a configuration file that is a FIFO, a directory, too large or wrong stops nothing", async () => {
  await using scenario = await SessionScenario.create();
  const { directory } = scenario;
  const fifo = directory.join("fifo");
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const large = directory.write("large", `[default]\nca_bundle = /x\n${"#".repeat(2 << 20)}`);
  const paths: readonly (readonly [path: string, reason?: string])[] = [
    [fifo, "it is not a regular file; name another"],
    [directory.path, "it is a directory; name a file in it"],
    [large, "it is larger than 1 MiB; check the path"],
    [directory.write("binary", Uint8Array.of(0xff, 0, 0x5b, 0x0a, 0x80))],
    [directory.write("stray", "endpoint_url = https://127.0.0.1:9\n[[[\n= x\n")],
    ["/dev/null"],
    [directory.join("missing")],
  ];
  for (const [path, reason] of paths) {
    const warning = reason ? `warning: the settings in ${path} are not used: ${reason}\n` : "";
    const { code, stderr } = await runBinary(["credential-process", ...scenario.flags], {
      env: { AWS_CONFIG_FILE: path },
    });
    assertEquals([path, code, stderr], [path, 0, warning]);
  }
});

Deno.test("an invalid setting is reported with its file, not with a flag", async () => {
  await using scenario = await SessionScenario.create();
  const config = scenario.directory.write("config", "[default]\nendpoint_url = ftp://x\n");
  const at = scenario.flags.indexOf("--endpoint");
  const { code, stderr } = await runBinary(
    ["credential-process", ...scenario.flags.slice(0, at)],
    { env: { AWS_CONFIG_FILE: config } },
  );
  assertEquals(code, 2);
  assertEquals(
    stderr.startsWith(
      `aws_signing_helper: endpoint_url of [default] in ${config} "ftp://x" is not a URL`,
    ),
    true,
    stderr,
  );
});
