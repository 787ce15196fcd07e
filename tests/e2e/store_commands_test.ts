/**
 * Whole commands with `--cert-selector`, on Linux, with doubles of Windows' certificate store and of
 * the macOS Keychain in the program.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { testMessage } from "../../src/cli/commands/sign_string.ts";
import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { CreateSessionEmulator } from "../emulator/emulator.ts";
import * as cng from "../plugins/cng/compile_double.ts";
import * as keychain from "../plugins/keychain/compile_double.ts";
import type { StoreDescription } from "../plugins/store_description.ts";
import { opensslVerifies, StoreFixture, type StoreIdentity } from "../plugins/store_fixture.ts";
import { BackgroundProcess, fetchServedCredentials } from "../support/background_process.ts";
import { runProgram } from "../support/binary.ts";
import { testWith, whyMissing } from "../support/needs.ts";
import { ARN_FLAGS } from "../support/session_scenario.ts";
import { runOnTerminal } from "../support/terminal.ts";

const reason = whyMissing("compiler");
const fixture = new StoreFixture();
const [root, lower] = await fixture.authorities;
const libraries = reason ? { windows: "", darwin: "" } : {
  windows: await cng.compileDouble("linux", fixture.directory.join("libcng.so")),
  darwin: await keychain.compileDouble(fixture.directory.join("libkeychain.so")),
};

type Platform = keyof typeof libraries;
const PLATFORMS = ["windows", "darwin"] as const;
const STORES = { windows: "the Windows certificate store", darwin: "the macOS Keychain" };

const PROGRAM = fileURLToPath(new URL("../plugins/store_program.ts", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** Describes a store that holds identities, with their issuers known to the system. */
function describe(
  platform: Platform,
  identities: readonly StoreIdentity[],
  rest: Partial<Pick<StoreDescription, "failure" | "secret">> & { readonly locked?: boolean } = {},
): StoreDescription {
  const { locked, ...common } = rest;
  const write = ({ encoded }: StoreIdentity, name: string) =>
    fixture.directory.write(`${name}.der`, encoded);
  const issuers = [write(lower, "lower"), write(root, "root")] as const;
  const own = identities.map((identity, i) => ({
    certificatePath: write(identity, `identity-${i}`),
    keyPath: identity.keyPath,
    issuer: identities.length,
  }));
  if (platform === "windows") {
    return {
      platform,
      library: libraries.windows,
      certificates: [
        ...own.map((item) => ({ ...item, kind: "cng" as const })),
        {
          certificatePath: issuers[0],
          kind: "none",
          issuer: identities.length + 1,
          inStore: false,
        },
        { certificatePath: issuers[1], kind: "none", inStore: false },
      ],
      ...common,
    };
  }
  return {
    platform,
    library: libraries.darwin,
    certificates: [
      ...own.map((item) => ({ ...item, ...(locked ? { keychain: "locked" as const } : {}) })),
      { certificatePath: issuers[0], issuer: identities.length + 1 },
      { certificatePath: issuers[1] },
    ],
    ...common,
  };
}

/** Returns the command that runs the program over a store. */
function commandOf(description: StoreDescription, args: readonly string[]) {
  const path = fixture.directory.write("store.json", JSON.stringify(description));
  return {
    path,
    env: {
      STORE_PROGRAM: path,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
      NO_COLOR: "1",
    },
    // deno-fmt-ignore
    command: [
      Deno.execPath(), "run", "--quiet", "--cached-only", "-A", "--no-check",
      "--config", CONFIGURATION, PROGRAM, ...args,
    ],
  };
}

async function run(description: StoreDescription, ...args: string[]) {
  const { path, env, command: [program = "", ...rest] } = commandOf(description, args);
  const result = await runProgram(program, rest, { env });
  assertEquals(Deno.readTextFileSync(`${path}.live`), "0", `live objects: ${result.stderr}`);
  return result;
}

for (const platform of PLATFORMS) {
  testWith(
    ["compiler"],
    `read-certificate-data lists ${STORES[platform]} with selectors that can be pasted back`,
    async () => {
      const identities = await Promise.all([
        fixture.issue("ec-p256", '/CN=with "quotes", commas \\+ $HOME'),
        fixture.issue("ec-p256", "/CN=Büro 日本", { serial: 0xabcn }),
      ]);
      const description = describe(platform, identities);
      const all = await run(
        description,
        "read-certificate-data",
        "--cert-selector",
        "Key=x509Issuer,Value=CN=Lower",
      );
      assertEquals([all.code, all.stderr], [0, ""]);
      const blocks = all.stdout.split("\n\n").slice(0, -1);
      assertEquals(blocks.length, 2);
      for (const block of blocks) {
        assertMatch(
          block.replace("Matching identities\n", ""),
          /^\d\) Hex Fingerprint: [0-9a-f]{40}\nSubject: .*\nIssuer: CN=Lower\nSerial Number: [0-9A-F]+\nSelector: ".*"$/,
        );
        // As a shell reads it.
        const selector = /^Selector: (.*)$/m.exec(block)?.[1] ?? "";
        const shell = await runProgram("bash", ["-c", `printf %s ${selector}`]);
        const again = await run(
          description,
          "read-certificate-data",
          "--cert-selector",
          shell.stdout,
        );
        assertEquals(again.stdout.split("\n").slice(1, 6).slice(1), block.split("\n").slice(-4));
      }
      const none = await run(
        description,
        "read-certificate-data",
        "--cert-selector",
        "Key=x509Serial,Value=01",
      );
      assertEquals([none.code, none.stdout], [0, "No matching identities\n"]);
    },
  );

  for (const keyType of ["rsa-2048", "ec-p384"] as const) {
    testWith(
      ["compiler"],
      `credential-process sends the chain with a key of ${keyType} in ${STORES[platform]}`,
      async () => {
        const identity = await fixture.issue(keyType, "/CN=a");
        await using emulator = await CreateSessionEmulator.start({
          trustAnchors: [root.certificatePem],
          region: "us-east-1",
        });
        // deno-fmt-ignore
        const { code, stdout, stderr } = await run(
        describe(platform, [identity]),
        "credential-process", "--cert-selector", "Key=x509Subject,Value=CN=a",
        ...ARN_FLAGS, "--endpoint", emulator.url,
      );
        assertEquals({ code, stderr }, { code: 0, stderr: "" });
        assertEquals(JSON.parse(stdout).AccessKeyId, emulator.issued[0]?.accessKeyId);
        assertEquals(emulator.requests[0]?.refusal, null);
      },
    );
  }

  testWith(
    ["compiler"],
    `sign-string takes a selector file, and of several the latest, from ${STORES[platform]}`,
    async () => {
      const [early, late] = await Promise.all(
        [5, 50].map((days) => fixture.issue("ec-p256", "/CN=renewed", { days })),
      );
      assert(early && late);
      const description = describe(platform, [early, late]);
      const selector = fixture.directory.write(
        "selector.json",
        JSON.stringify([{ Key: "x509Subject", Value: "CN = renewed" }]),
      );
      const source = ["--cert-selector", `file://${selector}`];
      const refused = await run(description, "sign-string", ...source);
      assertEquals([refused.code, refused.stdout], [3, ""]);
      assertMatch(refused.stderr, /^store_program: 2 certificates in [^\n]*\n$/);
      const latest = ["--use-latest-expiring-certificate", "--format", "bin", "--digest", "SHA512"];
      const signed = await run(description, "sign-string", ...source, ...latest);
      const message = await testMessage(publicKeyOf(parseCertificate(late.encoded)));
      assert(await opensslVerifies(fixture, late, "sha512", message, signed.stdoutBytes));
    },
  );

  testWith(
    ["compiler"],
    `credential-process takes the certificate of ${STORES[platform]} and a key file`,
    async () => {
      const identity = await fixture.issue("ec-p256", "/CN=a");
      await using emulator = await CreateSessionEmulator.start({
        trustAnchors: [root.certificatePem],
        region: "us-east-1",
      });
      // deno-fmt-ignore
      const { code, stderr } = await run(
      describe(platform, [identity, await fixture.issue("ec-p256", "/CN=b")]),
      "credential-process", "--cert-selector", "Key=x509Subject,Value=CN=a",
      "--private-key", identity.keyPath, ...ARN_FLAGS, "--endpoint", emulator.url,
    );
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
    },
  );

  testWith(
    ["compiler"],
    `update writes and serve serves what a key in ${
      STORES[platform]
    } gets, and leave nothing alive`,
    async () => {
      const identity = await fixture.issue("ec-p256", "/CN=a");
      await using emulator = await CreateSessionEmulator.start({
        trustAnchors: [root.certificatePem],
        region: "us-east-1",
      });
      const source = ["--cert-selector", "Key=x509Subject,Value=CN=a"];
      const flags = [...source, ...ARN_FLAGS, "--endpoint", emulator.url];
      const credentials = fixture.directory.join(`credentials-${platform}`);
      const update = commandOf(describe(platform, [identity]), ["update", "--once", ...flags]);
      const [program = "", ...args] = update.command;
      const written = await runProgram(program, args, {
        env: { ...update.env, AWS_SHARED_CREDENTIALS_FILE: credentials },
      });
      assertEquals({ code: written.code, stderr: written.stderr }, { code: 0, stderr: "" });
      assertStringIncludes(
        Deno.readTextFileSync(credentials),
        emulator.issued[0]?.accessKeyId ?? "?",
      );
      assertEquals(Deno.readTextFileSync(`${update.path}.live`), "0");

      Deno.removeSync(`${update.path}.live`);
      const serve = commandOf(describe(platform, [identity]), ["serve", "--port", "0", ...flags]);
      await using process = new BackgroundProcess(serve.command, serve.env);
      const port = await process.waitForOutput(/^Starting server on port (\d+)\.\.\.$/m);
      const served = await fetchServedCredentials(port);
      assertEquals(served.AccessKeyId, emulator.issued[1]?.accessKeyId);
      assertEquals(await process.interrupt(), 0, process.stderr);
      assertEquals(Deno.readTextFileSync(`${serve.path}.live`), "0");
    },
  );

  testWith(
    ["compiler"],
    `a wrong selector is a usage error before ${STORES[platform]} is looked at`,
    async () => {
      const { code, stdout, stderr } = await run(
        describe(platform, [], { failure: { function: "CertOpenStore", code: 5 } }),
        ...[
          "sign-string",
          "--cert-selector",
          "Key=x509Subject,Value=CN=a",
          "--cert-selector",
          "left",
        ],
      );
      assertEquals([code, stdout], [2, ""]);
      assertMatch(stderr, /^store_program: --cert-selector: "left" does not begin [^\n]*\n$/);
    },
  );

  testWith(
    ["compiler"],
    `selftest reports what it finds in ${STORES[platform]} and passes`,
    async () => {
      const [one, two] = await Promise.all([
        fixture.issue("rsa-2048", "/CN=one"),
        fixture.issue("ec-p256", "/CN=two"),
      ]);
      assert(one && two);
      const single = await run(describe(platform, [one]), "selftest");
      assertEquals([single.code, single.stderr], [0, ""]);
      assertMatch(single.stdout, /^aws_signing_helper \d/);
      for (
        const line of [
          `Certificates from ${STORES[platform]}: ${platform === "windows" ? "cng:" : "keychain:"}`,
          "Found: 1",
          "1) CN=one",
          "   Key: RSA of 2048 bits",
          "Chosen: CN=one",
          "   Valid now: yes",
          "   Issuers to send: 1\n   - CN=Lower",
          "signature of 256 bytes, verified\nResult: passed\n",
        ]
      ) {
        assertStringIncludes(single.stdout, line);
      }
      const several = await run(describe(platform, [one, two]), "selftest");
      assertEquals(several.code, 3);
      assertStringIncludes(several.stdout, "Found: 2\n1) CN=one");
      assertEquals(several.stdout.includes("passed"), false);
      assertMatch(several.stderr, /^store_program: 2 certificates in [^\n]*\n$/);
      const chosen = await run(
        describe(platform, [one, two]),
        ...["selftest", "--cert-selector", "Key=x509Subject,Value=CN=two"],
      );
      assertEquals(chosen.code, 0);
      assertStringIncludes(chosen.stdout, "Key: EC on P-256");
    },
  );
}

testWith(
  ["compiler"],
  "sign-string unlocks a locked keychain by flag, by variable and on the terminal",
  async () => {
    const identity = await fixture.issue("ec-p256", "/CN=a");
    const description = describe("darwin", [identity], { locked: true, secret: "geheim" });
    const args = [
      "sign-string",
      "--format",
      "text",
      "--cert-selector",
      "Key=x509Subject,Value=CN=a",
    ];
    const locked = await run(description, ...args);
    assertEquals([locked.code, locked.stdout], [3, ""]);
    assertStringIncludes(locked.stderr, "security unlock-keychain");
    const flag = await run(description, ...args, "--keychain-password", "geheim");
    assertEquals([flag.code, flag.stderr], [0, ""]);
    const { path, env, command } = commandOf(description, args);
    const variable = await runProgram(command[0] ?? "", command.slice(1), {
      env: { ...env, CREDENTIAL_HELPER_KEYCHAIN_PASSWORD: "geheim" },
    });
    assertEquals([variable.code, Deno.readTextFileSync(`${path}.live`)], [0, "0"]);
    const wrong = await run(description, ...args, "--keychain-password", "falsch");
    assertEquals([wrong.code, wrong.stdout, wrong.stderr.includes("falsch")], [3, "", false]);
    const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const typed = await runOnTerminal(["env", ...assignments, ...command], [
      ["credential-helper.keychain-db: ", "geheim\r"],
    ]);
    assertEquals(typed.code, 0, typed.stderr);
    assertMatch(typed.stdout, /^[0-9a-f]+\n$/);
  },
);
