/** The compiled Windows program under wine, with keys in files. Shown here, not on Windows. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

import { opensslVerifies, StoreFixture } from "../plugins/store_fixture.ts";
import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { CreateSessionEmulator } from "../emulator/emulator.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { WINDOWS_BINARY, windowsPath, Wine } from "../support/wine.ts";

const fixture = new StoreFixture();
await fixture.authorities;
const wine = Wine.start();
Deno.test.afterAll(() => wine[Symbol.asyncDispose]());

const windowsFlags = (flags: readonly string[]) =>
  flags.map((flag) => flag.startsWith("/") ? windowsPath(flag) : flag);

testWith(
  ["wine"],
  "Windows: version, help and a wrong command have their exit codes",
  async () => {
    const version = await wine.run(WINDOWS_BINARY, ["version"]);
    assertMatch(version.stdout, /^\d+\.\d+\.\d+\n$/);
    const help = await wine.run(WINDOWS_BINARY, ["--help"]);
    assertStringIncludes(help.stdout, "Usage: aws_signing_helper <command>");
    assertEquals([version.code, help.code, help.stderr], [0, 0, ""]);
    const wrong = await wine.run(WINDOWS_BINARY, ["serve-me"]);
    assertEquals([wrong.code, wrong.stdout], [2, ""]);
    assertMatch(wrong.stderr, /^aws_signing_helper: unknown command "serve-me"[^\n]*\n$/);
  },
);

testWith(
  ["wine"],
  "Windows: credential-process gets a session over HTTPS and HTTP",
  async () => {
    await using scenario = await SessionScenario.create();
    const run = (...flags: string[]) =>
      wine.run(WINDOWS_BINARY, ["credential-process", ...windowsFlags(scenario.flags), ...flags]);
    const { code, stdout, stderr } = await run();
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertEquals(JSON.parse(stdout).AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
    assertMatch(stdout, /^\{"Version":1,"AccessKeyId":[^\n\r]*\}\n$/);

    await using plain = await CreateSessionEmulator.start({
      trustAnchors: [scenario.trustAnchor.certificatePem],
      region: "us-east-1",
    });
    assertEquals((await run("--endpoint", plain.url)).code, 0);
    assertEquals([plain.issued.length, plain.requests[0]?.refusal], [1, null]);
  },
);

testWith(
  ["wine"],
  "Windows: a refusal, an unknown authority and a closed port have their exit codes",
  async () => {
    await using scenario = await SessionScenario.create();
    const flags = windowsFlags(scenario.flags);
    const run = (args: string[]) => wine.run(WINDOWS_BINARY, ["credential-process", ...args]);
    scenario.emulator.fail("access-denied", 1);
    const refused = await run(flags);
    assertEquals([refused.code, refused.stdout], [4, ""]);
    const untrusted = await run(flags.slice(0, -2));
    assertEquals([untrusted.code, untrusted.stdout], [6, ""]);
    const unverified = await run([...flags.slice(0, -2), "--no-verify-ssl"]);
    assertEquals(unverified.code, 0, unverified.stderr);
    const missing = await run([...flags, "--certificate", "C:\\no such\\file.pem"]);
    assertEquals([missing.code, missing.stdout], [3, ""]);
    assertStringIncludes(missing.stderr, "C:\\no such\\file.pem does not exist");
  },
);

testWith(
  ["wine"],
  "Windows: sign-string reads paths with spaces and letters of any script, and openssl verifies",
  async () => {
    const identity = await fixture.issue("rsa-2048", "/CN=windows");
    const directory = fixture.directory.join("Schlüssel und 日本語");
    const name = "client key ß.pem";
    const path = fixture.directory.write(`Schlüssel und 日本語/${name}`, identity.keyPem);
    const forms: [string[], { cwd?: string; env?: Record<string, string> }][] = [
      [["--private-key", windowsPath(path)], {}],
      [["--private-key", path], {}],
      [["--private-key", `file:///Z:${encodeURI(path)}`], {}],
      [["--private-key", name], { cwd: directory }],
      [["--private-key", `.\\${name}`], { cwd: directory }],
      [[], { env: { AWS_SIGNING_HELPER_PRIVATE_KEY: windowsPath(path) } }],
    ];
    const message = await testMessage(publicKeyOf(parseCertificate(identity.encoded)));
    for (const [flags, options] of forms) {
      const result = await wine.run(
        WINDOWS_BINARY,
        ["sign-string", ...flags, "--format", "bin", "--digest", "SHA384"],
        options,
      );
      assertEquals({ code: result.code, stderr: result.stderr }, { code: 0, stderr: "" });
      const { stdoutBytes } = result;
      assert(await opensslVerifies(fixture, identity, "sha384", message, stdoutBytes), flags[1]);
    }
  },
);

testWith(
  ["wine"],
  "Windows: a key is read from piped standard input and passphrases from their sources",
  async () => {
    const identity = await fixture.issue("ec-p256", "/CN=windows");
    const encrypted = fixture.directory.join("encrypted.p12");
    const passphrase = "pässwörd 日本";
    // deno-fmt-ignore
    await openssl([
      "pkcs12", "-export", "-inkey", identity.keyPath, "-in", identity.certificatePath,
      "-passout", `pass:${passphrase}`, "-out", encrypted,
    ]);
    const file = fixture.directory.write("passphrase.txt", `${passphrase}\r\n`);
    const container = ["--certificate", windowsPath(encrypted)];
    const cases: [string[], { stdin?: string; env?: Record<string, string> }][] = [
      [["--private-key", "/dev/stdin"], { stdin: identity.keyPem }],
      [[...container, "--pkcs8-password", `file:${windowsPath(file)}`], {}],
      [[...container, "--pkcs8-password", "env:SECRET"], { env: { SECRET: passphrase } }],
      [[...container], { env: { AWS_SIGNING_HELPER_PKCS8_PASSWORD: `pass:${passphrase}` } }],
    ];
    const message = await testMessage(publicKeyOf(parseCertificate(identity.encoded)));
    for (const [flags, options] of cases) {
      // On drive C: there is no /dev/stdin.
      const result = await wine.run(
        WINDOWS_BINARY,
        ["sign-string", "--format", "bin", ...flags],
        {
          ...options,
          cwd: wine.systemDrive,
        },
      );
      assertEquals({ code: result.code, stderr: result.stderr }, { code: 0, stderr: "" });
      assert(await opensslVerifies(fixture, identity, "sha256", message, result.stdoutBytes));
    }
    const refused = await wine.run(WINDOWS_BINARY, ["sign-string", ...container]);
    assertEquals([refused.code, refused.stdout], [3, ""]); // no console to ask on
    const descriptor = await wine.run(WINDOWS_BINARY, [
      ...["sign-string", ...container, "--pkcs8-password", "fd:0"],
    ]);
    assertEquals(descriptor.code, 3);
    assertStringIncludes(descriptor.stderr, "fd: is not available on Windows");
  },
);

testWith(
  ["wine"],
  "Windows: read-certificate-data prints what openssl reads",
  async () => {
    const identity = await fixture.issue("ec-p384", "/CN=windows", { serial: 0x0abcn });
    const { code, stdout } = await wine.run(WINDOWS_BINARY, [
      "read-certificate-data",
      "--certificate",
      windowsPath(identity.certificatePath),
    ]);
    assertEquals(code, 0);
    const { keyType, serialNumber, certificateData } = JSON.parse(stdout);
    assertEquals([keyType, serialNumber], ["EC", "2748"]);
    assertEquals(certificateData, btoa(String.fromCharCode(...identity.encoded)));
  },
);

testWith(
  ["wine"],
  "Windows: the console is asked without echo, in any script, and Ctrl-C ends it",
  async () => {
    const passphrase = "pässwörd € 日本";
    const path = fixture.directory.join("k.pem");
    // deno-fmt-ignore
    await openssl([
      "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
      "-aes-256-cbc", "-pass", `pass:${passphrase}`, "-out", path,
    ]);
    const args = ["sign-string", "--format", "text", "--private-key", windowsPath(path)];
    const question = "k.pem:"; // on one line of 80 columns, wherever the folder is
    const wrong = [question, "no\r"] as const;
    const right = [question, `${passphrase}x\x7f\r`] as const; // a backspace takes the x away
    const result = await wine.runOnConsole(WINDOWS_BINARY, args, [wrong, right]);
    assertEquals({ code: result.code, stderr: result.stderr }, { code: 0, stderr: "" });
    assertEquals(result.screen.includes("swörd"), false);
    assertMatch(result.screen, /[0-9a-f]{40}/);
    const broken = await wine.runOnConsole(WINDOWS_BINARY, args, [[question, "half\x03"]]);
    assertEquals(broken.code, 130);
    assertMatch(broken.stderr, /^aws_signing_helper: interrupted at a prompt[^\n]*\n$/);
  },
);

testWith(
  ["wine"],
  "Windows: --cert-selector finds nothing in an empty store, and the TPM's scheme is refused",
  async () => {
    const run = (...args: string[]) => wine.run(WINDOWS_BINARY, args);
    const none = await run("sign-string", "--cert-selector", "Key=x509Serial,Value=7777777777");
    assertEquals([none.code, none.stdout], [3, ""]);
    assertStringIncludes(none.stderr, "the Windows certificate store matches --cert-selector");
    const keychain = await run("sign-string", "--certificate", "keychain:");
    assertEquals(keychain.code, 3);
    assertStringIncludes(keychain.stderr, "the macOS Keychain");
    const spiffe = await run("sign-string", "--certificate", "spiffe:unix:///agent.sock");
    assertEquals(spiffe.code, 3);
    assertStringIncludes(spiffe.stderr, "(spiffe:) is only available on Linux and macOS");
  },
);

testWith(
  ["wine"],
  "Windows: a key is read from a variable and from standard input, and not from a descriptor",
  async () => {
    await using scenario = await SessionScenario.create();
    const { keyPem, certificatePem } = scenario.identity;
    const service = windowsFlags(scenario.serviceFlags);
    const { code, stdout, stderr } = await wine.run(WINDOWS_BINARY, [
      ...["credential-process", "--certificate=env:CERTIFICATE", "--private-key=-", ...service],
    ], { env: { CERTIFICATE: certificatePem.replaceAll("\n", "\\n") }, stdin: keyPem });
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertEquals(JSON.parse(stdout).AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
    const refused = await wine.run(WINDOWS_BINARY, ["sign-string", "--private-key=fd:3"]);
    assertEquals([refused.code, refused.stdout], [3, ""]);
    assertStringIncludes(
      refused.stderr,
      "fd:3 is not available on Windows; use env:NAME or a file",
    );
    const user = await wine.run(WINDOWS_BINARY, [
      ...["serve", ...windowsFlags(scenario.flags), "--allow-user=0"],
    ]);
    assertEquals(user.code, 2);
    assertStringIncludes(user.stderr, "--allow-user: only Linux reports a client's user; ");
  },
);
