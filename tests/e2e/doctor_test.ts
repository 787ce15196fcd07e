import { assertEquals, assertStringIncludes } from "@std/assert";

import { type FindingName, FINDINGS } from "../../src/cli/doctor/finding.ts";
import { runBinary, type RunOptions } from "../support/binary.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { ChainScenario, LAST } from "../support/chain_scenario.ts";
import { openssl } from "../support/openssl.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";

interface Report {
  readonly problems: number;
  readonly warnings: number;
  readonly findings: readonly { level: string; name: string; message: string }[];
}

const DAY = 86_400_000;
const after = (days: number) => new Date(Date.now() + days * DAY);

async function runDoctor(args: readonly string[], options: RunOptions = {}) {
  const { code, stdout, stderr } = await runBinary(["doctor", "--json", ...args], options);
  return { code, stderr, stdout, report: JSON.parse(stdout) as Report };
}

Deno.test("doctor finds no problem in a working set-up, and exits 0", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr, report } = await runDoctor(scenario.flags);
  assertEquals({ code, stderr, problems: report.problems }, { code: 0, stderr: "", problems: 0 });
  const names = report.findings.map(({ name }) => name);
  for (const name of ["arns", "key", "certificate", "chain-none", "files", "network"]) {
    assertEquals(names.includes(name), true, `${name} in ${names}`);
  }
  assertEquals(report.warnings, 0, JSON.stringify(report.findings));
});

Deno.test("doctor checks the roles to assume and the way to STS", async () => {
  await using scenario = await ChainScenario.create();
  const { code, report } = await runDoctor([...scenario.flags, "--assume-role-arn", LAST]);
  assertEquals([code, report.problems, report.warnings], [0, 0, 0], JSON.stringify(report));
  const messages = (wanted: string) =>
    report.findings.filter(({ name }) => name === wanted).map(({ message }) => message);
  assertEquals(messages("role-chain"), [
    `${LAST} is assumed for 3600 s, by 1 call of AssumeRole`,
  ]);
  assertEquals(messages("network"), [
    `localhost:${scenario.session.emulator.port} responds`,
    `localhost:${scenario.sts.port} responds`,
  ]);
  // The clock is compared with one service's.
  const clocks = report.findings.filter(({ name }) => name.startsWith("clock"));
  assertEquals([clocks.length, scenario.sts.issued.length], [1, 0]);
});

Deno.test("doctor prints one line per finding, and one sentence on standard error when it exits 1", async () => {
  const { code, stdout, stderr } = await runBinary(["doctor"]);
  assertEquals(code, 1);
  assertEquals(stderr, "aws_signing_helper: 4 problems found\n");
  const [heading = "", ...lines] = stdout.trimEnd().split("\n");
  assertStringIncludes(heading, "aws_signing_helper ");
  assertEquals(lines.pop(), "4 problems, 0 warnings");
  for (const line of lines) {
    const [, level, name] = /^(ok|note|warning|problem) +([a-z-]+): \S/.exec(line) ?? [];
    assertEquals(FINDINGS[name as FindingName][0], level, line);
  }
  assertEquals(lines.filter((line) => line.includes("arn-missing")).length, 3);
});

/** A set-up with one defect. */
interface SetUp {
  readonly finding: FindingName;
  /** Distinguishes set-ups of one finding. */
  readonly because: string;
  /** Matches the message. */
  readonly message: RegExp;
  /** Returns flags and environment. */
  make(scenario: SessionScenario): Promise<{ args: readonly string[]; env?: RunOptions["env"] }>;
}

/** Returns flags with another certificate than the scenario's, from the same authority. */
function withCertificate(
  request: Partial<Parameters<typeof issueCertificate>[1]>,
): SetUp["make"] {
  return async ({ trustAnchor, serviceFlags }) => {
    const { certificatePath, keyPath } = await issueCertificate(trustAnchor, {
      subject: "/CN=machine",
      ...request,
    });
    return { args: ["--certificate", certificatePath, "--private-key", keyPath, ...serviceFlags] };
  };
}

/** Returns flags with more than the scenario's; later ones win. */
function withFlags(
  flags: (scenario: SessionScenario) => readonly string[] | Promise<readonly string[]>,
  env: RunOptions["env"] = {},
): SetUp["make"] {
  return async (scenario) => ({ args: [...scenario.flags, ...await flags(scenario)], env });
}

/** Returns flags for the scenario's files with another mode. */
function withMode(which: "certificate" | "key" | "directory", mode: number): SetUp["make"] {
  return async ({ directory, identity, serviceFlags }) => {
    const certificate = directory.write("modes/certificate.pem", identity.certificatePem, 0o644);
    const key = directory.write("modes/key.pem", identity.keyPem);
    await Deno.chmod({ certificate, key, directory: directory.join("modes") }[which], mode);
    return { args: ["--certificate", certificate, "--private-key", key, ...serviceFlags] };
  };
}

/** Returns flags with a file of roles. */
function withRoles(roles: unknown, mode = 0o644): SetUp["make"] {
  return (scenario) => {
    const text = typeof roles === "string" ? roles : JSON.stringify(roles);
    const file = scenario.directory.write("roles.json", text);
    Deno.chmodSync(file, mode);
    return withFlags(() => ["--roles", file])(scenario);
  };
}

/** Returns flags for a loopback endpoint with a wrong clock. */
function withClock(seconds: number): SetUp["make"] {
  return async (scenario) => {
    const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void (async () => {
      const connection = await server.accept();
      await connection.read(new Uint8Array(4096));
      const date = new Date(Date.now() + seconds * 1000).toUTCString();
      await connection.write(
        new TextEncoder().encode(
          `HTTP/1.1 403 Forbidden\r\ndate: ${date}\r\ncontent-length: 0\r\n\r\n`,
        ),
      );
      connection.close();
      server.close();
    })();
    const endpoint = `http://127.0.0.1:${server.addr.port}`;
    return await withFlags(() => ["--endpoint", endpoint])(scenario);
  };
}

const otherCertificate = (s: SessionScenario) =>
  issueCertificate(s.trustAnchor, { subject: "/CN=x" });

const SET_UPS: readonly SetUp[] = [
  {
    finding: "arn-missing",
    because: "no trust anchor",
    message: /--trust-anchor-arn was not given/,
    make: (s) =>
      Promise.resolve({
        args: [...s.flags].filter((_, i, all) =>
          all[i] !== "--trust-anchor-arn" && all[i - 1] !== "--trust-anchor-arn"
        ),
      }),
  },
  {
    finding: "arn-invalid",
    because: "a user's ARN as role",
    message: /--role-arn/,
    make: withFlags(() => ["--role-arn", "arn:aws:iam::123456789012:user/someone"]),
  },
  {
    finding: "arn-invalid",
    because: "profile and trust anchor in two regions",
    message: /one region/,
    make: withFlags(() => ["--profile-arn", ARNS.profile.replace("us-east-1", "eu-west-1")]),
  },
  {
    finding: "arn-accounts",
    because: "the role of another account",
    message: /210987654321/,
    make: withFlags(() => ["--role-arn", ARNS.role.replace("123456789012", "210987654321")]),
  },
  {
    finding: "role-chain",
    because: "two roles to assume",
    message:
      /^arn:aws:iam::210987654321:role\/Last is assumed for 900 s, by 2 calls of AssumeRole with an/,
    make: withFlags(() => [
      "--assume-role-arn",
      ARNS.role,
      "arn:aws:iam::210987654321:role/Last",
      "--assume-role-duration=900",
      "--assume-role-external-id=wrong-secret",
      "--sts-endpoint=https://127.0.0.1:9",
    ]),
  },
  {
    finding: "role-chain-invalid",
    because: "a user to assume",
    message:
      /^--assume-role-arn \(number 2\) is the ARN of another kind \(iam user\); write that of a role/,
    make: withFlags(() => ["--assume-role-arn", ARNS.role, "arn:aws:iam::210987654321:user/x"]),
  },
  {
    finding: "role-chain-invalid",
    because: "a role of another partition",
    message: /partition aws-cn and the trust anchor in aws; both must be in one partition/,
    make: withFlags(() => ["--assume-role-arn", ARNS.role.replace("arn:aws:", "arn:aws-cn:")]),
  },
  {
    finding: "role-chain-invalid",
    because: "an external ID without a role",
    message: /^--assume-role-external-id needs --assume-role-arn/,
    make: withFlags(() => ["--assume-role-external-id", "wrong-secret"]),
  },
  {
    finding: "role-chain-invalid",
    because: "a malformed session name",
    message: /--assume-role-session-name must be 2 to 64/,
    make: withFlags(() => [
      "--assume-role-arn",
      ARNS.role,
      "--assume-role-session-name",
      "a wrong-secret",
    ]),
  },
  {
    finding: "endpoint-region",
    because: "STS of another region",
    message: /--sts-endpoint is the endpoint of eu-west-1, but the region is us-east-1/,
    make: withFlags(() => [
      "--assume-role-arn",
      ARNS.role,
      "--sts-endpoint",
      "https://sts.eu-west-1.amazonaws.com",
    ], { HTTPS_PROXY: "http://127.0.0.1:9" }),
  },
  {
    finding: "network-failed",
    because: "STS that does not listen",
    message: /127\.0\.0\.1:9 refuses connections; check --sts-endpoint/,
    make: withFlags(() => [
      "--assume-role-arn",
      ARNS.role,
      "--sts-endpoint",
      "https://127.0.0.1:9",
    ]),
  },
  {
    finding: "region-differs",
    because: "--region of another region",
    message: /eu-west-1.*us-east-1/,
    make: withFlags(() => ["--region", "eu-west-1"]),
  },
  {
    finding: "region-unknown",
    because: "a misspelt region",
    message: /eu-wst1/,
    make: withFlags(() => ["--region", "eu-wst1"]),
  },
  {
    finding: "endpoint-invalid",
    because: "a plain HTTP endpoint",
    message: /https/,
    make: withFlags(() => ["--endpoint", "http://rolesanywhere.example"]),
  },
  {
    finding: "endpoint-region",
    because: "the endpoint of another region",
    message: /ap-south-1/,
    make: withFlags(() => ["--endpoint", "https://rolesanywhere.ap-south-1.invalid"]),
  },
  {
    finding: "session-name",
    because: "a space in the session's name",
    message: /--role-session-name/,
    make: withFlags(() => ["--role-session-name", "my laptop"]),
  },
  {
    finding: "key-not-given",
    because: "only ARNs",
    message: /--certificate/,
    make: (s) => Promise.resolve({ args: s.serviceFlags }),
  },
  {
    finding: "usage",
    because: "an unknown scheme",
    message: /vault:/,
    make: withFlags(() => ["--private-key", "vault:secret/key"]),
  },
  {
    finding: "key-not-found",
    because: "a key that does not exist",
    message: /nowhere\.pem does not exist/,
    make: withFlags((s) => ["--private-key", s.directory.join("nowhere.pem")]),
  },
  {
    finding: "key-unreadable",
    because: "a directory as key",
    message: /is a directory/,
    make: withFlags((s) => ["--private-key", s.directory.path]),
  },
  {
    finding: "key-format",
    because: "a truncated key file",
    message: /cut\.pem/,
    make: withFlags((s) => [
      "--private-key",
      s.directory.write("cut.pem", s.identity.keyPem.slice(0, 80)),
    ]),
  },
  {
    finding: "key-locked",
    because: "the wrong passphrase",
    message: /locked\.pem/,
    make: withFlags(async (s) => {
      const { keyPath } = s.identity;
      const locked = s.directory.join("locked.pem");
      await openssl(["pkcs8", "-topk8", "-in", keyPath, "-out", locked, "-passout", "pass:right"]);
      return ["--private-key", locked, "--pkcs8-password", s.directory.write("p", "wrong-secret")]
        .map((word, i) => i === 3 ? `file:${word}` : word);
    }),
  },
  {
    finding: "secret-source",
    because: "a passphrase in a variable that is not set",
    message: /NOT_SET/,
    make: withFlags(async (s) => {
      const locked = s.directory.join("locked.pem");
      const { keyPath } = s.identity;
      await openssl(["pkcs8", "-topk8", "-in", keyPath, "-out", locked, "-passout", "pass:right"]);
      return ["--private-key", locked, "--pkcs8-password", "env:NOT_SET"];
    }),
  },
  {
    finding: "key-mismatch",
    because: "the key of another certificate",
    message: /does not belong/,
    make: withFlags(async (s) => ["--private-key", (await otherCertificate(s)).keyPath]),
  },
  {
    finding: "keystore-unavailable",
    because: "the macOS Keychain on Linux",
    message: /keychain/,
    make: withFlags(() => ["--private-key", "keychain:label=x"]),
  },
  {
    finding: "certificate-expired",
    because: "a certificate of last month",
    message: /expired on/,
    make: withCertificate({ notBefore: after(-60), notAfter: after(-30) }),
  },
  {
    finding: "certificate-not-yet-valid",
    because: "a certificate of next month",
    message: /not valid before/,
    make: withCertificate({ notBefore: after(30), notAfter: after(60) }),
  },
  {
    finding: "certificate-expires-soon",
    because: "three days left",
    message: /in [23] days/,
    make: withCertificate({ days: 3 }),
  },
  {
    finding: "certificate-is-authority",
    because: "an authority as end entity",
    message: /CA:TRUE/,
    make: withCertificate({ ca: true }),
  },
  {
    finding: "certificate-key-usage",
    because: "only key encipherment",
    message: /digital signature/,
    make: withCertificate({ extensions: { keyUsage: "critical,keyEncipherment" } }),
  },
  {
    finding: "certificate-constraints",
    because: "no basic constraints",
    message: /CA:FALSE/,
    make: withCertificate({ extensions: { basicConstraints: null } }),
  },
  {
    finding: "certificate-signature",
    because: "SHA-1",
    message: /SHA-1/,
    make: withCertificate({ digest: "sha1" }),
  },
  {
    finding: "certificate-weak-key",
    because: "RSA of 1024 bits",
    message: /1024 bits/,
    make: withCertificate({ keyType: "rsa-1024" }),
  },
  {
    finding: "chain-broken",
    because: "the issuer of something else",
    message: /did not issue/,
    make: withFlags(async (s) => {
      const other = await createAuthority(s.directory, { subject: "/CN=Somebody else" });
      return ["--intermediates", other.certificatePath];
    }),
  },
  {
    finding: "chain-signature",
    because: "another key under the issuer's name",
    message: /signed by another key/,
    make: withFlags(async (s) => {
      const namesake = await createAuthority(s.directory, { subject: "/CN=Demo trust anchor" });
      return ["--intermediates", namesake.certificatePath];
    }),
  },
  {
    finding: "chain-signature",
    because: "another key without a key identifier",
    message: /signed by another key/,
    make: withFlags(async (s) => {
      const namesake = await createAuthority(s.directory, {
        subject: "/CN=Demo trust anchor",
        extensions: { subjectKeyIdentifier: null },
      });
      return ["--intermediates", namesake.certificatePath];
    }),
  },
  {
    finding: "chain-expired",
    because: "an intermediate that has expired",
    message: /Old intermediate/,
    make: async (s) => {
      const intermediate = await issueCertificate(s.trustAnchor, {
        subject: "/CN=Old intermediate",
        ca: true,
        notBefore: after(-60),
        notAfter: after(-1),
      });
      const { certificatePath, keyPath } = await issueCertificate(intermediate, {
        subject: "/CN=machine",
      });
      const chain = ["--intermediates", intermediate.certificatePath];
      return {
        args: [
          "--certificate",
          certificatePath,
          "--private-key",
          keyPath,
          ...chain,
          ...s.serviceFlags,
        ],
      };
    },
  },
  {
    finding: "chain-not-authority",
    because: "an issuer that is not an authority",
    message: /may not issue/,
    make: async (s) => {
      const leaf = await issueCertificate(s.trustAnchor, { subject: "/CN=No authority" });
      const { certificatePath, keyPath } = await issueCertificate(leaf, { subject: "/CN=machine" });
      const chain = ["--intermediates", leaf.certificatePath];
      return {
        args: [
          "--certificate",
          certificatePath,
          "--private-key",
          keyPath,
          ...chain,
          ...s.serviceFlags,
        ],
      };
    },
  },
  {
    finding: "key-file-open",
    because: "mode 644",
    message: /chmod go-rwx/,
    make: withMode("key", 0o644),
  },
  {
    finding: "key-file-group",
    because: "mode 640",
    message: /its group/,
    make: withMode("key", 0o640),
  },
  {
    finding: "file-writable",
    because: "a certificate of mode 666",
    message: /changed by other users/,
    make: withMode("certificate", 0o666),
  },
  {
    finding: "directory-writable",
    because: "mode 777",
    message: /replaced by every user/,
    make: withMode("directory", 0o777),
  },
  {
    finding: "secret-file-open",
    because: "a passphrase file of mode 644",
    message: /password or PIN/,
    make: withFlags((s) => [
      "--pkcs8-password",
      `file:${s.directory.write("open-pass", "wrong-secret", 0o644)}`,
    ]),
  },
  {
    finding: "secret-in-arguments",
    because: "a passphrase on the command line",
    message: /--pkcs8-password/,
    make: withFlags(() => ["--pkcs8-password", "wrong-secret"]),
  },
  {
    finding: "static-credentials",
    because: "keys in the environment",
    message: /AWS_ACCESS_KEY_ID/,
    make: withFlags(() => [], { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "wrong-secret" }),
  },
  {
    finding: "variable-unknown",
    because: "a misspelt variable",
    message: /AWS_SIGNING_HELPER_ROL_ARN .* did you mean AWS_SIGNING_HELPER_ROLE_ARN\?/,
    make: withFlags(() => [], { AWS_SIGNING_HELPER_ROL_ARN: "wrong-secret" }),
  },
  {
    finding: "variable-unknown",
    because: "a shortened variable",
    message: /did you mean AWS_SIGNING_HELPER_PRIVATE_KEY\?/,
    make: withFlags(() => [], { AWS_SIGNING_HELPER_KEY: "wrong-secret" }),
  },
  {
    finding: "tls-keys-logged",
    because: "SSLKEYLOGFILE",
    message: /unset it/,
    make: withFlags(() => [], { SSLKEYLOGFILE: "/nonexistent/keys" }),
  },
  {
    finding: "verification-off",
    because: "--no-verify-ssl",
    message: /--ca-bundle/,
    make: withFlags(() => ["--no-verify-ssl"]),
  },
  {
    finding: "proxy-ignored",
    because: "HTTPS_PROXY with --with-proxy=false",
    message: /HTTPS_PROXY is set, and ignored by --with-proxy=false/,
    make: withFlags(() => ["--with-proxy=false"], {
      HTTPS_PROXY: "http://user:wrong-secret@127.0.0.1:9",
    }),
  },
  {
    finding: "proxy-invalid",
    because: "a SOCKS proxy",
    message: /HTTPS_PROXY/,
    make: withFlags(() => [], {
      HTTPS_PROXY: "socks5://user:wrong-secret@127.0.0.1",
    }),
  },
  {
    finding: "network-failed",
    because: "a proxy that does not exist",
    message: /the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\) refuses/,
    make: withFlags(() => [], {
      HTTPS_PROXY: "http://user:wrong-secret@127.0.0.1:9",
    }),
  },
  {
    finding: "ca-bundle",
    because: "a bundle without certificates",
    message: /has no certificates/,
    make: withFlags((s) => ["--ca-bundle", s.directory.write("empty.pem", "\n")]),
  },
  {
    finding: "library-missing",
    because: "a PKCS#11 module that does not exist",
    message: /no-module\.so/,
    make: withFlags(() => [
      "--private-key",
      "pkcs11:token=x",
      "--pkcs11-lib",
      "/nonexistent/no-module.so",
    ]),
  },
  {
    finding: "roles",
    because: "two roles",
    message: /roles\.json: 2 roles; users exist/,
    make: withRoles([
      { name: "a", roleArn: ARNS.role, users: ["root"] },
      { name: "b", roleArn: ARNS.role, sessionDuration: 900 },
    ]),
  },
  {
    finding: "roles-invalid",
    because: "a file that is not JSON",
    message: /^--roles \S+roles\.json: it is not JSON/,
    make: withRoles("wrong-secret"),
  },
  {
    finding: "roles-invalid",
    because: "a user who does not exist",
    message: /role "a": users: there is no user "no-such"/,
    make: withRoles([{ name: "a", roleArn: ARNS.role, users: ["no-such"] }]),
  },
  {
    finding: "arn-invalid",
    because: "the ARN of one role",
    message: /role "b": roleArn is the ARN of a profile; write that of a role/,
    make: withRoles([
      { name: "a", roleArn: ARNS.role },
      { name: "b", roleArn: ARNS.profile },
    ]),
  },
  {
    finding: "arn-accounts",
    because: "one role's",
    message: /^role "b": the ARNs are of different accounts/,
    make: withRoles([
      { name: "a", roleArn: ARNS.role },
      { name: "b", roleArn: ARNS.role.replace("123456789012", "210987654321"), users: [0] },
    ]),
  },
  {
    finding: "role-unused",
    because: "a second role without users",
    message: /role "b": it has no clients/,
    make: withRoles([{ name: "a", roleArn: ARNS.role }, { name: "b", roleArn: ARNS.role }]),
  },
  {
    finding: "file-writable",
    because: "a roles file of mode 666",
    message: /roles\.json can be changed by other users/,
    make: withRoles([{ name: "a", roleArn: ARNS.role }], 0o666),
  },
  {
    finding: "network",
    because: "roles with the only trust anchor",
    message: /responds/,
    make: async (scenario) => {
      const { args } = await withRoles([{
        name: "a",
        roleArn: ARNS.role,
        profileArn: ARNS.profile,
        trustAnchorArn: ARNS.trustAnchor,
      }])(scenario);
      const isArn = (text = "") => text.endsWith("-arn") || text.startsWith("arn:");
      return { args: args.filter((text) => !isArn(text)) };
    },
  },
  {
    finding: "dns",
    because: "a host that does not exist",
    message: /no-such-host\.invalid/,
    make: withFlags(() => ["--endpoint", "https://no-such-host.invalid"]),
  },
  {
    finding: "network-failed",
    because: "nothing listens",
    message: /refuses connections/,
    make: withFlags(() => ["--endpoint", "https://127.0.0.1:9"]),
  },
  {
    finding: "tls",
    because: "an authority that is not trusted",
    message: /--ca-bundle/,
    make: withFlags((s) => ["--ca-bundle", s.trustAnchor.certificatePath]),
  },
  {
    finding: "clock-wrong",
    because: "a clock ten minutes slow",
    message: /s behind the service's/,
    make: withClock(600),
  },
  {
    finding: "clock-wrong",
    because: "a clock ten minutes fast",
    message: /s ahead of the service's/,
    make: withClock(-600),
  },
  {
    finding: "clock-off",
    because: "two minutes",
    message: /NTP/,
    make: withClock(120),
  },
];

for (const { finding, because, message: pattern, make } of SET_UPS) {
  Deno.test(`doctor finds ${finding} (${because})`, async () => {
    await using scenario = await SessionScenario.create();
    const { args, env } = await make(scenario);
    const { code, stdout, stderr, report } = await runDoctor(args, env ? { env } : {});
    const [level] = FINDINGS[finding];
    const named = report.findings.filter(({ name }) => name === finding);
    assertEquals(named.some(({ message }) => pattern.test(message)), true, stdout);
    assertEquals(named[0]?.level, level);
    const problems = report.findings.filter(({ level }) => level === "problem").length;
    assertEquals([report.problems, code], [problems, problems > 0 ? 1 : 0]);
    if (level === "problem") assertEquals(code, 1);
    // The set-ups use this password and PIN only.
    assertEquals(`${stdout}${stderr}`.includes("wrong-secret"), false);
  });
}
