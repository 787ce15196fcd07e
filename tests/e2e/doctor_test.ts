import { assertEquals, assertStringIncludes } from "@std/assert";

import { type FindingName, FINDINGS } from "../../src/cli/doctor/finding.ts";
import { runBinary, type RunOptions } from "../support/binary.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
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

Deno.test("doctor finds nothing wrong with a set-up that works, and exits 0", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr, report } = await runDoctor(scenario.flags);
  assertEquals({ code, stderr, problems: report.problems }, { code: 0, stderr: "", problems: 0 });
  const names = report.findings.map(({ name }) => name);
  for (const name of ["arns", "key", "certificate", "chain-none", "files", "network"]) {
    assertEquals(names.includes(name), true, `${name} in ${names}`);
  }
  assertEquals(report.warnings, 0, JSON.stringify(report.findings));
});

Deno.test("doctor prints one line a finding, and one sentence on standard error when it exits 1", async () => {
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

/** A set-up that is broken in one way. */
interface SetUp {
  readonly finding: FindingName;
  /** What tells set-ups of one finding apart. */
  readonly because: string;
  /** What the message must say. */
  readonly says: RegExp;
  /** The flags, and the environment. */
  make(scenario: SessionScenario): Promise<{ args: readonly string[]; env?: RunOptions["env"] }>;
}

/** With another certificate than the scenario's, from the same authority. */
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

/** With more flags than the scenario's; later ones win. */
function withFlags(
  flags: (scenario: SessionScenario) => readonly string[] | Promise<readonly string[]>,
  env: RunOptions["env"] = {},
): SetUp["make"] {
  return async (scenario) => ({ args: [...scenario.flags, ...await flags(scenario)], env });
}

/** With the scenario's files in another mode. */
function withMode(which: "certificate" | "key" | "directory", mode: number): SetUp["make"] {
  return async ({ directory, identity, serviceFlags }) => {
    const certificate = directory.write("modes/certificate.pem", identity.certificatePem, 0o644);
    const key = directory.write("modes/key.pem", identity.keyPem);
    await Deno.chmod({ certificate, key, directory: directory.join("modes") }[which], mode);
    return { args: ["--certificate", certificate, "--private-key", key, ...serviceFlags] };
  };
}

/** With an endpoint on loopback whose clock is off. */
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
    says: /--trust-anchor-arn was not given/,
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
    says: /--role-arn/,
    make: withFlags(() => ["--role-arn", "arn:aws:iam::123456789012:user/someone"]),
  },
  {
    finding: "arn-invalid",
    because: "profile and trust anchor in two regions",
    says: /one region/,
    make: withFlags(() => ["--profile-arn", ARNS.profile.replace("us-east-1", "eu-west-1")]),
  },
  {
    finding: "arn-accounts",
    because: "the role of another account",
    says: /210987654321/,
    make: withFlags(() => ["--role-arn", ARNS.role.replace("123456789012", "210987654321")]),
  },
  {
    finding: "region-differs",
    because: "--region of another region",
    says: /eu-west-1.*us-east-1/,
    make: withFlags(() => ["--region", "eu-west-1"]),
  },
  {
    finding: "region-unknown",
    because: "a misspelt region",
    says: /eu-wst1/,
    make: withFlags(() => ["--region", "eu-wst1"]),
  },
  {
    finding: "endpoint-invalid",
    because: "an endpoint in the clear",
    says: /https/,
    make: withFlags(() => ["--endpoint", "http://rolesanywhere.example"]),
  },
  {
    finding: "endpoint-region",
    because: "the endpoint of another region",
    says: /ap-south-1/,
    make: withFlags(() => ["--endpoint", "https://rolesanywhere.ap-south-1.invalid"]),
  },
  {
    finding: "session-name",
    because: "a space in the session's name",
    says: /--role-session-name/,
    make: withFlags(() => ["--role-session-name", "my laptop"]),
  },
  {
    finding: "key-not-given",
    because: "ARNs alone",
    says: /--certificate/,
    make: (s) => Promise.resolve({ args: s.serviceFlags }),
  },
  {
    finding: "usage",
    because: "an unknown scheme",
    says: /vault:/,
    make: withFlags(() => ["--private-key", "vault:secret/key"]),
  },
  {
    finding: "key-not-found",
    because: "a key that does not exist",
    says: /nowhere\.pem does not exist/,
    make: withFlags((s) => ["--private-key", s.directory.join("nowhere.pem")]),
  },
  {
    finding: "key-unreadable",
    because: "a directory as key",
    says: /is a directory/,
    make: withFlags((s) => ["--private-key", s.directory.path]),
  },
  {
    finding: "key-format",
    because: "a key file cut off",
    says: /cut\.pem/,
    make: withFlags((s) => [
      "--private-key",
      s.directory.write("cut.pem", s.identity.keyPem.slice(0, 80)),
    ]),
  },
  {
    finding: "key-locked",
    because: "the wrong passphrase",
    says: /locked\.pem/,
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
    says: /NOT_SET/,
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
    says: /does not belong/,
    make: withFlags(async (s) => ["--private-key", (await otherCertificate(s)).keyPath]),
  },
  {
    finding: "keystore-unavailable",
    because: "the macOS Keychain on Linux",
    says: /keychain/,
    make: withFlags(() => ["--private-key", "keychain:label=x"]),
  },
  {
    finding: "certificate-expired",
    because: "a certificate of last month",
    says: /expired on/,
    make: withCertificate({ notBefore: after(-60), notAfter: after(-30) }),
  },
  {
    finding: "certificate-not-yet-valid",
    because: "a certificate of next month",
    says: /not valid before/,
    make: withCertificate({ notBefore: after(30), notAfter: after(60) }),
  },
  {
    finding: "certificate-expires-soon",
    because: "three days left",
    says: /in [23] days/,
    make: withCertificate({ days: 3 }),
  },
  {
    finding: "certificate-is-authority",
    because: "an authority as end entity",
    says: /CA:TRUE/,
    make: withCertificate({ ca: true }),
  },
  {
    finding: "certificate-key-usage",
    because: "key encipherment alone",
    says: /digital signature/,
    make: withCertificate({ extensions: { keyUsage: "critical,keyEncipherment" } }),
  },
  {
    finding: "certificate-constraints",
    because: "no basic constraints",
    says: /CA:FALSE/,
    make: withCertificate({ extensions: { basicConstraints: null } }),
  },
  {
    finding: "certificate-signature",
    because: "SHA-1",
    says: /SHA-1/,
    make: withCertificate({ digest: "sha1" }),
  },
  {
    finding: "certificate-weak-key",
    because: "RSA of 1024 bits",
    says: /1024 bits/,
    make: withCertificate({ keyType: "rsa-1024" }),
  },
  {
    finding: "chain-broken",
    because: "the issuer of something else",
    says: /did not issue/,
    make: withFlags(async (s) => {
      const other = await createAuthority(s.directory, { subject: "/CN=Somebody else" });
      return ["--intermediates", other.certificatePath];
    }),
  },
  {
    finding: "chain-signature",
    because: "another key under the issuer's name",
    says: /signed by another key/,
    make: withFlags(async (s) => {
      const namesake = await createAuthority(s.directory, { subject: "/CN=Demo trust anchor" });
      return ["--intermediates", namesake.certificatePath];
    }),
  },
  {
    finding: "chain-signature",
    because: "such a key without a key identifier",
    says: /signed by another key/,
    make: withFlags(async (s) => {
      const namesake = await createAuthority(s.directory, {
        subject: "/CN=Demo trust anchor",
        extensions: { subjectKeyIdentifier: "none" },
      });
      return ["--intermediates", namesake.certificatePath];
    }),
  },
  {
    finding: "chain-expired",
    because: "an intermediate that has expired",
    says: /Old intermediate/,
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
    because: "an issuer that is no authority",
    says: /may not issue/,
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
    says: /chmod go-rwx/,
    make: withMode("key", 0o644),
  },
  {
    finding: "key-file-group",
    because: "mode 640",
    says: /its group/,
    make: withMode("key", 0o640),
  },
  {
    finding: "file-writable",
    because: "a certificate of mode 666",
    says: /changed by other users/,
    make: withMode("certificate", 0o666),
  },
  {
    finding: "directory-writable",
    because: "mode 777",
    says: /replaced by every user/,
    make: withMode("directory", 0o777),
  },
  {
    finding: "secret-file-open",
    because: "a passphrase file of mode 644",
    says: /password or PIN/,
    make: withFlags((s) => [
      "--pkcs8-password",
      `file:${s.directory.write("open-pass", "wrong-secret", 0o644)}`,
    ]),
  },
  {
    finding: "secret-in-arguments",
    because: "a passphrase on the command line",
    says: /--pkcs8-password/,
    make: withFlags(() => ["--pkcs8-password", "wrong-secret"]),
  },
  {
    finding: "static-credentials",
    because: "keys in the environment",
    says: /AWS_ACCESS_KEY_ID/,
    make: withFlags(() => [], { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "wrong-secret" }),
  },
  {
    finding: "variable-unknown",
    because: "a misspelt variable",
    says: /AWS_SIGNING_HELPER_ROL_ARN .* did you mean AWS_SIGNING_HELPER_ROLE_ARN\?/,
    make: withFlags(() => [], { AWS_SIGNING_HELPER_ROL_ARN: "wrong-secret" }),
  },
  {
    finding: "tls-keys-logged",
    because: "SSLKEYLOGFILE",
    says: /unset it/,
    make: withFlags(() => [], { SSLKEYLOGFILE: "/nonexistent/keys" }),
  },
  {
    finding: "verification-off",
    because: "--no-verify-ssl",
    says: /--ca-bundle/,
    make: withFlags(() => ["--no-verify-ssl"]),
  },
  {
    finding: "proxy-ignored",
    because: "HTTPS_PROXY with --with-proxy=false",
    says: /HTTPS_PROXY is set, and ignored by --with-proxy=false/,
    make: withFlags(() => ["--with-proxy=false"], {
      HTTPS_PROXY: "http://user:wrong-secret@127.0.0.1:9",
    }),
  },
  {
    finding: "proxy-invalid",
    because: "a SOCKS proxy",
    says: /HTTPS_PROXY/,
    make: withFlags(() => [], {
      HTTPS_PROXY: "socks5://user:wrong-secret@127.0.0.1",
    }),
  },
  {
    finding: "network-failed",
    because: "a proxy that is not there",
    says: /the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\) refuses/,
    make: withFlags(() => [], {
      HTTPS_PROXY: "http://user:wrong-secret@127.0.0.1:9",
    }),
  },
  {
    finding: "ca-bundle",
    because: "a bundle that holds no certificate",
    says: /has no certificates/,
    make: withFlags((s) => ["--ca-bundle", s.directory.write("empty.pem", "\n")]),
  },
  {
    finding: "library-missing",
    because: "a PKCS#11 module that does not exist",
    says: /no-module\.so/,
    make: withFlags(() => [
      "--private-key",
      "pkcs11:token=x",
      "--pkcs11-lib",
      "/nonexistent/no-module.so",
    ]),
  },
  {
    finding: "dns",
    because: "a host that does not exist",
    says: /no-such-host\.invalid/,
    make: withFlags(() => ["--endpoint", "https://no-such-host.invalid"]),
  },
  {
    finding: "network-failed",
    because: "nothing listens",
    says: /refuses connections/,
    make: withFlags(() => ["--endpoint", "https://127.0.0.1:9"]),
  },
  {
    finding: "tls",
    because: "an authority that is not trusted",
    says: /--ca-bundle/,
    make: withFlags((s) => ["--ca-bundle", s.trustAnchor.certificatePath]),
  },
  {
    finding: "clock-wrong",
    because: "ten minutes behind",
    says: /s behind the service's/,
    make: withClock(600),
  },
  {
    finding: "clock-wrong",
    because: "ten minutes ahead",
    says: /s ahead of the service's/,
    make: withClock(-600),
  },
  {
    finding: "clock-off",
    because: "two minutes",
    says: /NTP/,
    make: withClock(120),
  },
];

for (const { finding, because, says, make } of SET_UPS) {
  Deno.test(`doctor finds ${finding} (${because})`, async () => {
    await using scenario = await SessionScenario.create();
    const { args, env } = await make(scenario);
    const { code, stdout, stderr, report } = await runDoctor(args, env ? { env } : {});
    const [level] = FINDINGS[finding];
    const named = report.findings.filter(({ name }) => name === finding);
    assertEquals(named.some(({ message }) => says.test(message)), true, stdout);
    assertEquals(named[0]?.level, level);
    const problems = report.findings.filter((found) => found.level === "problem").length;
    assertEquals([report.problems, code], [problems, problems > 0 ? 1 : 0]);
    if (level === "problem") assertEquals(code, 1);
    // The set-ups write every password and PIN so.
    assertEquals(`${stdout}${stderr}`.includes("wrong-secret"), false);
  });
}
