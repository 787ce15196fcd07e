import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { createKeystore } from "../../../plugins/keychain/mod.ts";
import { HelperError } from "../../../src/errors.ts";
import { openIdentity } from "../../../src/keystore/open_identity.ts";
import type { Digest, KeystoreContext, Signer } from "../../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { type Certificate, parseCertificate } from "../../../src/x509/certificate.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";
import { issueMldsaCertificate } from "../../support/mldsa_certificate.ts";
import { testWith, whyMissing } from "../../support/needs.ts";
import { opensslVerifies, stored, StoreFixture, type StoreIdentity } from "../store_fixture.ts";
import { compileDouble } from "./compile_double.ts";
import { type Kept, KeychainDouble } from "./double.ts";

const reason = whyMissing("compiler");
const fixture = new StoreFixture();
const path = reason ? "" : await compileDouble(fixture.directory.join("libkeychain.so"));
const oldPath = reason
  ? ""
  : await compileDouble(fixture.directory.join("libold.so"), ["-DOLD_MACOS"]);
const [root, lower] = await fixture.authorities;
const identities = {
  "rsa-2048": await fixture.issue("rsa-2048", "/CN=rsa"),
  "ec-p256": await fixture.issue("ec-p256", "/CN=ec"),
  "ec-p384": await fixture.issue("ec-p384", "/CN=ec384"),
  "ec-p521": await fixture.issue("ec-p521", "/CN=ec521"),
};
const { "rsa-2048": rsa, "ec-p256": ec } = identities;

const keep = ({ encoded, keyPath }: StoreIdentity, rest: Partial<Kept> = {}): Kept => ({
  encoded,
  keyPath,
  ...rest,
});
const certificateAlone = ({ encoded }: StoreIdentity, rest: Partial<Kept> = {}): Kept => ({
  encoded,
  ...rest,
});

/** Runs `use` with a double that keeps `kept`, and checks that nothing stays alive. */
async function withDouble(
  kept: readonly Kept[],
  use: (double: KeychainDouble) => Promise<void>,
  library = path,
): Promise<void> {
  using double = new KeychainDouble(library);
  double.keep(kept);
  await use(double);
  assertEquals(double.live, 0, "objects that nobody released");
}

interface Given extends Partial<KeystoreContext> {
  readonly uri?: string;
  readonly beside?: Certificate;
}

async function openKey(double: KeychainDouble, given: Given = {}): Promise<Signer> {
  const { uri = "keychain:", beside, ...context } = given;
  const opened = await createKeystore(double.frameworks).openKey(
    parseKeystoreUri(uri, "--certificate"),
    { ...NO_CONTEXT, ...context },
    beside,
  );
  assert(!("target" in opened) && !("softwareKey" in opened));
  return opened;
}

async function refusal(action: () => Promise<unknown>, code: string): Promise<string> {
  const error = await assertRejects(action, HelperError);
  assertEquals(error.code, code, error.message);
  return error.message;
}

const MESSAGE = new TextEncoder().encode("what is signed");
const DIGESTS: readonly Digest[] = ["SHA-256", "SHA-384", "SHA-512"];

for (const [keyType, identity] of Object.entries(identities)) {
  testWith(
    ["compiler"],
    `keychain: signs with a key of ${keyType}, and openssl verifies`,
    async () => {
      await withDouble([keep(identity)], async (double) => {
        await using signer = await openKey(double);
        for (const digest of DIGESTS) {
          const signature = await signer.sign(MESSAGE, digest);
          const name = digest.toLowerCase().replace("-", "");
          assert(await opensslVerifies(fixture, identity, name, MESSAGE, signature), digest);
        }
      });
    },
  );
}

testWith(["compiler"], "keychain: makes many signatures at once and each is right", async () => {
  await withDouble([keep(rsa), keep(ec)], async (double) => {
    await using first = await openKey(double, { uri: "keychain:x509Subject=CN%3Drsa" });
    await using second = await openKey(double, { uri: "keychain:x509Subject=CN%3Dec" });
    const messages = Array.from({ length: 40 }, (_, i) => new TextEncoder().encode(`message ${i}`));
    const signatures = await Promise.all(
      messages.map((message, i) => (i % 2 ? first : second).sign(message, "SHA-256")),
    );
    for (const [i, message] of messages.entries()) {
      const signature = signatures[i] ?? new Uint8Array();
      assert(await opensslVerifies(fixture, i % 2 ? rsa : ec, "sha256", message, signature));
    }
  });
});

const CHAIN: readonly Kept[] = [
  keep(ec, { issuer: 1 }),
  certificateAlone(lower, { issuer: 2 }),
  certificateAlone(root),
];

for (const trusted of [true, false]) {
  for (const [system, library] of [["macOS 12", path], ["macOS 11", oldPath]] as const) {
    testWith(
      ["compiler"],
      `keychain: gives the issuers without root on ${system}, ${
        trusted ? "trusted" : "not trusted"
      }`,
      async () => {
        await withDouble(CHAIN, async (double) => {
          double.setTrusted(trusted);
          const keystore = createKeystore(double.frameworks);
          const uri = parseKeystoreUri("keychain:", "--certificate");
          const certificates = await keystore.readCertificates(uri, NO_CONTEXT);
          assertEquals(certificates.map(({ encoded }) => encoded), [ec.encoded, lower.encoded]);
          await using identity = await openIdentity(
            { certificate: uri },
            () => Promise.resolve(keystore),
            NO_CONTEXT,
          );
          assertEquals(identity.chain.map(({ encoded }) => encoded), [lower.encoded]);
        }, library);
      },
    );
  }
}

testWith(
  ["compiler"],
  "keychain: goes without issuers when only the certificate itself is found",
  async () => {
    for (
      const fn of [
        "SecTrustCopyCertificateChain",
        "SecTrustCreateWithCertificates",
        "SecTrustSetNetworkFetchAllowed",
      ]
    ) {
      await withDouble(CHAIN, async (double) => {
        double.fail(fn, -25318);
        await using signer = await openKey(double);
        assertEquals(signer.certificates.length, 1, fn);
        await signer.sign(MESSAGE, "SHA-256");
      });
    }
  },
);

testWith(
  ["compiler"],
  "keychain: lists identities with a selector for each; none is no error",
  async () => {
    await withDouble([keep(rsa), keep(ec), certificateAlone(lower)], async (double) => {
      const keystore = createKeystore(double.frameworks);
      const list = async (uri: string) =>
        await keystore.listCertificates(parseKeystoreUri(uri, "--certificate"), NO_CONTEXT);
      const listed = await list("keychain:");
      assertEquals(listed.map(({ selector }) => selector?.includes("Key=x509Serial")), [
        true,
        true,
      ]);
      assertEquals((await list("keychain:x509Issuer=CN%3DLower;x509Subject=CN%3Dec")).length, 1);
      assertEquals(await list("keychain:x509Serial=00"), []);
    });
    await withDouble([], async (double) => {
      const uri = parseKeystoreUri("keychain:", "--certificate");
      assertEquals(await createKeystore(double.frameworks).listCertificates(uri, NO_CONTEXT), []);
      const words = await refusal(() => openKey(double), "key-not-found");
      assertStringIncludes(words, "no certificate in the macOS Keychain matches keychain:");
    });
  },
);

testWith(
  ["compiler"],
  "keychain: refuses several matches, takes the latest when told, or the one of the certificate",
  async () => {
    const [short, long] = await Promise.all(
      [10, 90].map((days) => fixture.issue("ec-p256", "/CN=renewed", { days })),
    );
    assert(short && long);
    await withDouble([keep(short), keep(long), keep(short)], async (double) => {
      assertStringIncludes(await refusal(() => openKey(double), "key-not-found"), "2 certificates");
      const isOn = (name: string) => name === "use-latest-expiring-certificate";
      await using latest = await openKey(double, { isOn });
      assertEquals(latest.certificates[0]?.encoded, long.encoded);
      await using besides = await openKey(double, { beside: parseCertificate(short.encoded) });
      assertEquals(besides.certificates[0]?.encoded, short.encoded);
    });
  },
);

testWith(
  ["compiler"],
  "keychain: skips what cannot be read, with a word under --debug",
  async () => {
    await withDouble([keep({ ...ec, encoded: ec.encoded.slice(1) }), keep(rsa)], async (double) => {
      const said: string[] = [];
      await using signer = await openKey(double, { debug: (words) => said.push(words) });
      assertEquals(signer.publicKey.keyType, "RSA");
      assertEquals(said.filter((words) => words.includes("skipped")).length, 1);
    });
    for (const fn of ["SecIdentityCopyCertificate", "SecCertificateCopyData"]) {
      await withDouble([keep(ec), keep(rsa)], async (double) => {
        double.fail(fn, -25304, 1);
        const said: string[] = [];
        const debug = (words: string) => said.push(words);
        const uri = parseKeystoreUri("keychain:", "--certificate");
        const listed = await createKeystore(double.frameworks).listCertificates(uri, {
          ...NO_CONTEXT,
          debug,
        });
        assertEquals(listed.length, 1);
        assertStringIncludes(said.join("\n"), "skipped");
      });
    }
  },
);

testWith(["compiler"], "keychain: refuses a kind of key that macOS cannot sign with", async () => {
  const mldsa = await issueMldsaCertificate(lower, { subject: "/CN=ml-dsa", level: 44 });
  const { encoded } = await stored({ ...mldsa, directory: lower.directory });
  await withDouble([{ encoded, keyPath: ec.keyPath }], async (double) => {
    assertStringIncludes(
      await refusal(() => openKey(double), "key-unsupported"),
      "ML-DSA-44 keys in the macOS Keychain cannot be used",
    );
  });
});

testWith(["compiler"], "keychain: refuses a key that does not match the certificate", async () => {
  await withDouble(
    [{ encoded: ec.encoded, keyPath: identities["ec-p384"].keyPath }],
    async (double) => {
      await using signer = await openKey(double);
      const words = await refusal(() => signer.sign(MESSAGE, "SHA-256"), "key-mismatch");
      assertStringIncludes(words, "does not match the certificate");
    },
  );
});

/** Every call that can fail when a key is opened and used, with a code and what it must say. */
const FAILURES: [fn: string, code: number, error: string, words: string, domain?: string][] = [
  ["SecItemCopyMatching", -25308, "key-locked", "unlock it"],
  ["SecItemCopyMatching", -25291, "key-unreadable", "no keychain is available"],
  ["SecItemCopyMatching", -25295, "key-unreadable", "damaged"],
  ["SecItemCopyMatching", -128, "key-locked", "cancelled"],
  ["SecItemCopyMatching", -34018, "key-unreadable", "may not use"],
  ["SecItemCopyMatching", -9999, "key-unreadable", "macOS says -9999"],
  ["SecIdentityCopyPrivateKey", -25300, "key-not-found", "no longer in the keychain"],
  ["SecIdentityCopyPrivateKey", -25308, "key-locked", "unlock it"],
  ["SecIdentityCopyPrivateKey", -128, "key-locked", "cancelled"],
  ["SecKeyIsAlgorithmSupported", 0, "key-unsupported", "does not make EC signatures with SHA-256"],
  ["SecKeyCreateSignature", -128, "key-locked", "cancelled (-128)"],
  ["SecKeyCreateSignature", -25308, "key-locked", "unlock it"],
  ["SecKeyCreateSignature", -25293, "key-locked", "the password is wrong"],
  ["SecKeyCreateSignature", -25243, "key-unreadable", "may not use the key"],
  ["SecKeyCreateSignature", -25304, "key-not-found", "no longer in the keychain"],
  ["SecKeyCreateSignature", -2, "key-locked", "cancelled", "com.apple.LocalAuthentication"],
  ["SecKeyCreateSignature", -7, "key-not-found", "insert it", "CryptoTokenKit"],
  ["SecKeyCreateSignature", -5, "key-locked", "refused the PIN", "CryptoTokenKit"],
  ["SecKeyCreateSignature", -1, "key-unreadable", "macOS says Other -1", "Other"],
];

for (const [fn, code, error, words, domain] of FAILURES) {
  const where = domain === undefined ? "" : ` of ${domain}`;
  testWith(
    ["compiler"],
    `keychain: says ${error} and releases all when ${fn} fails with ${code}${where}`,
    async () => {
      await withDouble([keep(ec), certificateAlone(lower)], async (double) => {
        double.fail(fn, code);
        if (domain !== undefined) double.setDomain(domain);
        const message = await refusal(async () => {
          await using signer = await openKey(double);
          await signer.sign(MESSAGE, "SHA-256");
        }, error);
        assertStringIncludes(message, words);
      });
    },
  );
}

testWith(
  ["compiler"],
  "keychain: unlocks the keychain with --keychain-password before it signs",
  async () => {
    await withDouble([keep(ec, { keychain: "locked" })], async (double) => {
      double.setPassword("pässwörd");
      const asked: string[] = [];
      const secret = (name: string) => {
        asked.push(name);
        return Promise.resolve("pässwörd");
      };
      await using signer = await openKey(double, { secret });
      const signature = await signer.sign(MESSAGE, "SHA-256");
      assert(await opensslVerifies(fixture, ec, "sha256", MESSAGE, signature));
      assertEquals(asked, ["keychain-password"]);
    });
  },
);

testWith(
  ["compiler"],
  "keychain: asks on the terminal when macOS cannot, once, and signs",
  async () => {
    await withDouble([keep(ec, { keychain: "locked" })], async (double) => {
      double.setPassword("secret");
      const questions: string[] = [];
      const prompt = (question: string) => {
        questions.push(question);
        return Promise.resolve("secret");
      };
      await using signer = await openKey(double, { prompt });
      assertEquals(questions, []);
      await signer.sign(MESSAGE, "SHA-256");
      await signer.sign(MESSAGE, "SHA-256");
      assertEquals(questions, ["Password of the keychain credential-helper.keychain-db: "]);
    });
  },
);

testWith(["compiler"], "keychain: tries a wrong password once and does not show it", async () => {
  await withDouble([keep(ec, { keychain: "locked" })], async (double) => {
    double.setPassword("secret");
    const secret = () => Promise.resolve("guessed");
    const words = await refusal(() => openKey(double, { secret }), "key-locked");
    assertStringIncludes(words, "credential-helper.keychain-db cannot be unlocked: the password");
    assertEquals(words.includes("guessed"), false);
  });
});

testWith(
  ["compiler"],
  "keychain: says what to do when a locked keychain cannot be unlocked",
  async () => {
    await withDouble([keep(ec, { keychain: "locked" })], async (double) => {
      await using signer = await openKey(double);
      const words = await refusal(() => signer.sign(MESSAGE, "SHA-256"), "key-locked");
      for (const hint of ["security unlock-keychain", "--keychain-password", "(-25308)"]) {
        assertStringIncludes(words, hint);
      }
    });
  },
);

testWith(["compiler"], "keychain: uses keys that are in no keychain file", async () => {
  await withDouble([keep(ec, { keychain: "none" })], async (double) => {
    await using signer = await openKey(double, { secret: () => Promise.resolve("unused") });
    await signer.sign(MESSAGE, "SHA-256");
  });
});

testWith(["compiler"], "keychain: says so when the identity goes away half-way", async () => {
  await withDouble([keep(rsa)], async (double) => {
    await using signer = await openKey(double);
    await signer.sign(MESSAGE, "SHA-256");
    double.remove();
    const words = await refusal(() => signer.sign(MESSAGE, "SHA-256"), "key-not-found");
    assertStringIncludes(words, "no longer in the keychain");
  });
  await withDouble([keep(rsa), keep(ec)], async (double) => {
    double.fail("SecIdentityCopyCertificate", -25300, 1); // gone while they are looked through
    await using signer = await openKey(double);
    assertEquals(signer.publicKey.keyType, "RSA");
  });
});

testWith(
  ["compiler"],
  "keychain: releases once however often the signer is disposed of",
  async () => {
    await withDouble([keep(rsa)], async (double) => {
      const signer = await openKey(double);
      assert(double.live > 0);
      await signer[Symbol.asyncDispose]();
      await signer[Symbol.asyncDispose]();
    });
  },
);

Deno.test("keychain: says that the frameworks are missing when there are none", async () => {
  const keystore = createKeystore({ coreFoundation: "/nowhere", security: "/nowhere" });
  const uri = parseKeystoreUri("keychain:", "--certificate");
  await refusal(() => keystore.readCertificates(uri, NO_CONTEXT), "keystore-unavailable");
});

Deno.test("keychain: throws usage for attributes it does not know", async () => {
  const keystore = createKeystore({ coreFoundation: "/nowhere", security: "/nowhere" });
  const uri = parseKeystoreUri("keychain:store-name=MY", "--certificate");
  await refusal(() => keystore.readCertificates(uri, NO_CONTEXT), "usage");
});

testWith(["linux"], "keychain: refuses in one sentence on a system that is not macOS", async () => {
  const { keystore } = await import("../../../plugins/keychain/mod.ts");
  const uri = parseKeystoreUri("keychain:x509Serial=01", "--certificate");
  for (const use of [keystore.openKey, keystore.readCertificates]) {
    assertEquals(
      await refusal(async () => await use(uri, NO_CONTEXT), "keystore-unavailable"),
      "keychain:x509Serial=01: the macOS Keychain (keychain:) is only available on macOS; " +
        "use a certificate and key file",
    );
  }
});
