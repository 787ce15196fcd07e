/**
 * The compiled Windows program and wine's own certificate store, which has RSA keys of CryptoAPI.
 * For features that wine's store lacks, the program has the double of Windows' store in it. Shown
 * under wine, not on Windows.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { bcryptBlob } from "../plugins/cng/bcrypt_blob.ts";
import { compileDouble } from "../plugins/cng/compile_double.ts";
import type { KeyKind } from "../plugins/cng/double.ts";
import { opensslVerifies, StoreFixture, type StoreIdentity } from "../plugins/store_fixture.ts";
import type { StoreDescription } from "../plugins/store_description.ts";
import { CreateSessionEmulator } from "../emulator/emulator.ts";
import { compileC } from "../support/native.ts";
import { testWith, whyMissing } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { ARN_FLAGS } from "../support/session_scenario.ts";
import {
  STORE_SOURCE,
  WINDOWS_BINARY,
  WINDOWS_STORE_PROGRAM,
  windowsPath,
  Wine,
} from "../support/wine.ts";

const reason = whyMissing("wine");
const fixture = new StoreFixture();
const [root, lower] = await fixture.authorities;
const wine = Wine.start();
Deno.test.afterAll(() => wine[Symbol.asyncDispose]());

const messageOf = (identity: StoreIdentity) =>
  testMessage(publicKeyOf(parseCertificate(identity.encoded)));

const compiled = reason ? undefined : {
  store: await compileC(
    "x86_64-w64-mingw32-gcc",
    [STORE_SOURCE],
    fixture.directory.join("store.exe"),
    ["-municode", "-lcrypt32"],
  ),
  double: await compileDouble("windows", fixture.directory.join("double.dll")),
};

/** Replaces the contents of wine's store with identities, from PFX files. */
async function importInto(...identities: StoreIdentity[]): Promise<void> {
  const program = compiled?.store ?? "";
  assertEquals((await wine.run(program, ["clear"])).code, 0);
  const chain = fixture.directory.write("chain.pem", lower.certificatePem + root.certificatePem);
  for (const [i, { keyPath, certificatePath }] of identities.entries()) {
    // wine loses an identity whose issuers are in the store already.
    const issuers = i === 0 ? ["-certfile", chain] : [];
    const pfx = fixture.directory.join("identity.pfx");
    // deno-fmt-ignore
    await openssl([
      "pkcs12", "-export", "-inkey", keyPath, "-in", certificatePath, ...issuers,
      "-passout", "pass:pfx", "-out", pfx,
    ]);
    const { code, stderr } = await wine.run(program, ["import", pfx, "pfx"]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
  }
}

testWith(
  ["wine"],
  "Windows: a PFX's identity in wine's store is listed, signs and gets a session",
  async () => {
    const identity = await fixture.issue("rsa-2048", "/CN=Büro, PC 1");
    const other = await fixture.issue("rsa-2048", "/CN=other");
    await importInto(other, identity);

    const run = (...args: string[]) => wine.run(WINDOWS_BINARY, args);
    const listed = await run(
      "read-certificate-data",
      "--cert-selector",
      "Key=x509Issuer,Value=CN=Lower",
    );
    assertEquals([listed.code, listed.stderr], [0, ""]);
    const selectors = [...listed.stdout.matchAll(/^Selector: (.*)$/gm)].map(([, text]) =>
      text ?? ""
    );
    assertEquals(selectors.length, 2);
    const selector = selectors.find((text) => text.includes("Büro")) ?? "";

    const message = await messageOf(identity);
    const sources = [
      ["--cert-selector", selector],
      ["--cert-selector", ...selector.slice(1, -1).split(/ (?=Key=)/)],
      ["--certificate", "cng:x509Subject=CN%3DB%C3%BCro%5C%2C%20PC%201"],
    ];
    for (const source of sources) {
      const signed = await run("sign-string", "--format", "bin", ...source);
      assertEquals({ code: signed.code, stderr: signed.stderr }, { code: 0, stderr: "" });
      assert(await opensslVerifies(fixture, identity, "sha256", message, signed.stdoutBytes));
    }

    const tested = await run("selftest", "--cert-selector", selector);
    assertEquals([tested.code, tested.stderr], [0, ""]);
    for (const line of ["Found: 1\n", "   Key: RSA of 2048 bits\n", "verified\nResult: passed\n"]) {
      assertStringIncludes(tested.stdout, line);
    }

    // wine has one place for keys: the other identity's was lost when this one's came.
    const lost = await run("sign-string", "--cert-selector", "Key=x509Subject,Value=CN=other");
    assertEquals([lost.code, lost.stdout], [3, ""]);
    assertStringIncludes(
      lost.stderr,
      "does not match the certificate; import the certificate again",
    );

    await using emulator = await CreateSessionEmulator.start({
      trustAnchors: [root.certificatePem],
      region: "us-east-1",
    });
    const session = await run(
      ...[
        "credential-process",
        "--cert-selector",
        selector,
        ...ARN_FLAGS,
        "--endpoint",
        emulator.url,
      ],
    );
    assertEquals({ code: session.code, stderr: session.stderr }, { code: 0, stderr: "" });
    // The trust anchor is the root: the session is given only if the chain was sent.
    assertEquals(JSON.parse(session.stdout).AccessKeyId, emulator.issued[0]?.accessKeyId);
  },
);

testWith(
  ["wine"],
  "Windows: several matches in wine's store are refused unless the latest is wanted",
  async () => {
    const [early, late] = await Promise.all(
      [5, 50].map((days) => fixture.issue("rsa-2048", "/CN=renewed", { days })),
    );
    assert(early && late);
    await importInto(early, late);
    const source = ["--cert-selector", "Key=x509Subject,Value=CN=renewed"];
    const refused = await wine.run(WINDOWS_BINARY, ["sign-string", ...source]);
    assertEquals([refused.code, refused.stdout], [3, ""]);
    assertMatch(refused.stderr, /^aws_signing_helper: 2 certificates [^\n]*\n$/);
    const latest = ["--use-latest-expiring-certificate", "--format", "bin"];
    const signed = await wine.run(WINDOWS_BINARY, ["sign-string", ...source, ...latest]);
    const message = await messageOf(late);
    assert(await opensslVerifies(fixture, late, "sha256", message, signed.stdoutBytes));
  },
);

testWith(
  ["wine"],
  "Windows: the certificate comes from the store and the key from a file",
  async () => {
    const identity = await fixture.issue("rsa-2048", "/CN=both");
    await importInto(identity);
    await using emulator = await CreateSessionEmulator.start({
      trustAnchors: [root.certificatePem],
      region: "us-east-1",
    });
    // deno-fmt-ignore
    const session = await wine.run(WINDOWS_BINARY, [
    "credential-process", "--cert-selector", "Key=x509Subject,Value=CN=both",
    "--private-key", windowsPath(identity.keyPath), ...ARN_FLAGS, "--endpoint", emulator.url,
  ]);
    assertEquals({ code: session.code, stderr: session.stderr }, { code: 0, stderr: "" });
    assertEquals(emulator.requests[0]?.refusal, null);
  },
);

testWith(
  ["wine"],
  "Windows: a store that does not exist is distinguished from the machine's store",
  async () => {
    const run = (...args: string[]) =>
      wine.run(WINDOWS_BINARY, ["read-certificate-data", "--cert-selector", ...args]);
    const nowhere = await run("Key=x509Serial,Value=01", "--system-store-name", "Nowhere");
    assertEquals(nowhere.stdout, "", nowhere.stderr);
    assertStringIncludes(nowhere.stderr, '"Nowhere" of the user does not exist');
    const machine = await run("Key=x509Serial,Value=01", "--system-store-location", "machine");
    assertEquals([machine.code, machine.stdout], [0, "No matching identities\n"], machine.stderr);
  },
);

/** Runs a command of the program whose store is the double. */
async function runWithDouble(
  description: Omit<Extract<StoreDescription, { platform: "windows" }>, "platform" | "library">,
  args: readonly string[],
) {
  const library = windowsPath(compiled?.double ?? "");
  const whole: StoreDescription = { platform: "windows", library, ...description };
  const path = fixture.directory.write("store.json", JSON.stringify(whole));
  const result = await wine.run(WINDOWS_STORE_PROGRAM, args, { env: { STORE_PROGRAM: path } });
  return { ...result, live: Deno.readTextFileSync(`${path}.live`) };
}

const held = (
  { encoded, keyPem }: StoreIdentity,
  name: string,
  kind: KeyKind,
  rest: { issuer?: number; inStore?: boolean } = {},
) => ({
  certificatePath: windowsPath(fixture.directory.write(`${name}.der`, encoded)),
  ...(kind === "none"
    ? {}
    : { keyPath: windowsPath(fixture.directory.write(`${name}.blob`, bcryptBlob(keyPem))) }),
  kind,
  ...rest,
});

/** EC on P-256 only: wine's bcrypt, with which the double signs, has no other keys to import. */
const KINDS: ["rsa-2048" | "ec-p256", KeyKind][] = [
  ["rsa-2048", "cng"],
  ["ec-p256", "cng"],
  ["ec-p256", "cng cached"],
  ["rsa-2048", "CryptoAPI with SHA-2"],
];

for (const [keyType, kind] of KINDS) {
  testWith(
    ["wine"],
    `Windows: a key of kind "${kind}", ${keyType}, in the double gets a session with its chain`,
    async () => {
      const identity = await fixture.issue(keyType, "/CN=double");
      await using emulator = await CreateSessionEmulator.start({
        trustAnchors: [root.certificatePem],
        region: "us-east-1",
      });
      const store = [
        held(identity, "identity", kind, { issuer: 1 }),
        held(lower, "lower", "none", { issuer: 2, inStore: false }),
        held(root, "root", "none", { inStore: false }),
      ];
      // deno-fmt-ignore
      const { code, stderr, live } = await runWithDouble({ certificates: store }, [
      "credential-process", "--cert-selector", "Key=x509Subject,Value=CN=double",
      ...ARN_FLAGS, "--endpoint", emulator.url,
    ]);
      assertEquals({ code, stderr, live }, { code: 0, stderr: "", live: "0" });
      assertEquals([emulator.issued.length, emulator.requests[0]?.refusal], [1, null]);
    },
  );
}

const FAILURES: [fn: string, code: number, words: string][] = [
  ["CryptAcquireCertificatePrivateKey", 0x80090016, "the store holds no private key"],
  ["CryptAcquireCertificatePrivateKey", 0x80090010, "this account may not use the key"],
  ["NCryptSignHash", 0x80090022, "in a window"],
  ["NCryptSignHash", 0x80090030, "insert it"],
];

for (const [fn, failureCode, words] of FAILURES) {
  testWith(["wine"], `Windows: sign-string reports "${words}" when ${fn} fails`, async () => {
    const identity = await fixture.issue("ec-p256", "/CN=double");
    const { code, stdout, stderr, live } = await runWithDouble(
      {
        certificates: [held(identity, "identity", "cng")],
        failure: { function: fn, code: failureCode },
      },
      ["sign-string", "--cert-selector", "Key=x509Subject,Value=CN=double"],
    );
    assertEquals({ code, stdout, live }, { code: 3, stdout: "", live: "0" }, stderr);
    assertStringIncludes(stderr, words);
  });
}
