import { assert, assertEquals, assertStringIncludes } from "@std/assert";

import { createKeystore, keystore } from "../../../plugins/keychain/mod.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { whyMissing } from "../../support/needs.ts";
import { refusal } from "../../support/refusal.ts";
import { NO_CONTEXT, scriptedContext } from "../../support/scripted_context.ts";
import { opensslVerifies, type StoreIdentity } from "../store_fixture.ts";
import { fixture, identities, lower, MESSAGE, root, StoreTests } from "../store_tests.ts";
import { compileDouble } from "./compile_double.ts";
import { type Kept, KeychainDouble } from "./double.ts";

const reason = whyMissing("compiler");
const path = reason ? "" : await compileDouble(fixture.directory.join("libkeychain.so"));
const oldPath = reason
  ? ""
  : await compileDouble(fixture.directory.join("libold.so"), ["-DOLD_MACOS"]);
const { "rsa-2048": rsa, "ec-p256": ec } = identities;

const keep = ({ encoded, keyPath }: StoreIdentity, rest: Partial<Kept> = {}): Kept => ({
  encoded,
  keyPath,
  ...rest,
});
const certificateOnly = ({ encoded }: StoreIdentity, rest: Partial<Kept> = {}): Kept => ({
  encoded,
  ...rest,
});

const NOWHERE = createKeystore({ coreFoundation: "/nowhere", security: "/nowhere" });

const store = new StoreTests<Kept, KeychainDouble>({
  scheme: "keychain",
  names: { store: "macOS Keychain", system: "macOS" },
  open: () => new KeychainDouble(path),
  hold: keep,
  holdUnsupported: (encoded) => ({ encoded, keyPath: ec.keyPath }),
  mldsaLevel: 44,
  kindsOfKeys: [keep(rsa)],
  withoutLibraries: NOWHERE,
  ofThisMachine: keystore,
});

store.addShared();

for (const [keyType, identity] of Object.entries(identities)) {
  store.test(`signs with a key of ${keyType}, and openssl verifies`, async () => {
    await store.withDouble([keep(identity)], (double) => store.assertSigns(double, identity));
  });
}

const CHAIN: readonly Kept[] = [
  keep(ec, { issuer: 1 }),
  certificateOnly(lower, { issuer: 2 }),
  certificateOnly(root),
];

for (const trusted of [true, false]) {
  for (const [system, library] of [["macOS 12", path], ["macOS 11", oldPath]] as const) {
    const trust = trusted ? "trusted" : "not trusted";
    store.test(`returns the issuers without root on ${system}, ${trust}`, async () => {
      await store.withDouble(CHAIN, async (double) => {
        double.setTrusted(trusted);
        await store.assertIssuers(double);
      }, () => new KeychainDouble(library));
    });
  }
}

store.test("returns no issuers when only the certificate itself is found", async () => {
  for (
    const fn of [
      "SecTrustCopyCertificateChain",
      "SecTrustCreateWithCertificates",
      "SecTrustSetNetworkFetchAllowed",
    ]
  ) {
    await store.withDouble(CHAIN, async (double) => {
      double.fail(fn, -25318);
      await using signer = await store.openKey(double);
      assertEquals(signer.certificates.length, 1, fn);
      await signer.sign(MESSAGE, "SHA-256");
    });
  }
});

store.test("lists identities with a selector for each, or none", async () => {
  await store.withDouble([keep(rsa), keep(ec), certificateOnly(lower)], async (double) => {
    const listed = await store.list(double);
    assertEquals(listed.map(({ selector }) => selector?.includes("Key=x509Serial")), [true, true]);
    const uri = "keychain:x509Issuer=CN%3DLower;x509Subject=CN%3Dec";
    assertEquals((await store.list(double, uri)).length, 1);
    assertEquals(await store.list(double, "keychain:x509Serial=00"), []);
  });
  await store.withDouble([], async (double) => {
    assertEquals(await store.list(double), []);
    const message = await refusal(() => store.openKey(double), "key-not-found");
    assertStringIncludes(message, "no certificate in the macOS Keychain matches keychain:");
  });
});

store.test(
  "refuses several matches, selects the latest with the flag, or the certificate's",
  async () => {
    const [short, long] = await store.renewed();
    await store.withDouble([keep(short), keep(long), keep(short)], async (double) => {
      assertStringIncludes(
        await refusal(() => store.openKey(double), "key-not-found"),
        "2 certificates",
      );
      await store.assertSelection(double, short, long);
    });
  },
);

store.test("skips what cannot be read, with a debug message", async () => {
  const broken = keep({ ...ec, encoded: ec.encoded.slice(1) });
  await store.withDouble([broken, keep(rsa)], (double) => store.assertSkips(double, 1));
  for (const fn of ["SecIdentityCopyCertificate", "SecCertificateCopyData"]) {
    await store.withDouble([keep(ec), keep(rsa)], async (double) => {
      double.fail(fn, -25304, 1);
      const context = scriptedContext();
      assertEquals((await store.list(double, "keychain:", context)).length, 1);
      assertStringIncludes(context.debugMessages.join("\n"), "skipped");
    });
  }
});

store.test("refuses a key that does not match the certificate", async () => {
  const { keyPath } = identities["ec-p384"];
  await store.withDouble([{ encoded: ec.encoded, keyPath }], async (double) => {
    await using signer = await store.openKey(double);
    const message = await refusal(() => signer.sign(MESSAGE, "SHA-256"), "key-mismatch");
    assertStringIncludes(message, "does not match the certificate");
  });
});

/** Calls that can fail when a key is opened and used: code, and text of the message. */
const FAILURES: [fn: string, code: number, error: ErrorCode, message: string, domain?: string][] = [
  ["SecItemCopyMatching", -25308, "key-locked", "unlock it"],
  ["SecItemCopyMatching", -25291, "key-unreadable", "no keychain is available"],
  ["SecItemCopyMatching", -25295, "key-unreadable", "damaged"],
  ["SecItemCopyMatching", -128, "key-locked", "cancelled"],
  ["SecItemCopyMatching", -34018, "key-unreadable", "may not use"],
  ["SecItemCopyMatching", -9999, "key-unreadable", "macOS error -9999"],
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
  ["SecKeyCreateSignature", -1, "key-unreadable", "macOS error Other -1", "Other"],
];

store.addFailures(FAILURES.map(([fn, code, error, message, domain]) => ({
  title: `${fn} fails with ${code}${domain === undefined ? "" : ` of ${domain}`}`,
  ...{ fn, code, error, message },
  entries: [keep(ec), certificateOnly(lower)],
  ...(domain !== undefined && { prepare: (double) => double.setDomain(domain) }),
})));

const LOCKED = keep(ec, { keychain: "locked" });

store.test("unlocks the keychain with --keychain-password before it signs", async () => {
  await store.withDouble([LOCKED], async (double) => {
    double.setSecret("pässwörd");
    const context = scriptedContext({ secrets: { "keychain-password": "pässwörd" } });
    await using signer = await store.openKey(double, { context });
    const signature = await signer.sign(MESSAGE, "SHA-256");
    assert(await opensslVerifies(fixture, ec, "sha256", MESSAGE, signature));
    assertEquals(context.secretNames, ["keychain-password"]);
  });
});

store.test("asks on the terminal when macOS cannot, once, and signs", async () => {
  await store.withDouble([LOCKED], async (double) => {
    double.setSecret("secret");
    const context = scriptedContext({ answers: ["secret", "secret"] });
    await using signer = await store.openKey(double, { context });
    assertEquals(context.questions, []);
    await signer.sign(MESSAGE, "SHA-256");
    await signer.sign(MESSAGE, "SHA-256");
    assertEquals(context.questions, [
      "Password of the keychain credential-helper.keychain-db: ",
    ]);
  });
});

store.test("tries a wrong password once and does not show it", async () => {
  await store.withDouble([LOCKED], async (double) => {
    double.setSecret("secret");
    const context = scriptedContext({ secrets: { "keychain-password": "guessed" } });
    const message = await refusal(() => store.openKey(double, { context }), "key-locked");
    assertStringIncludes(
      message,
      "credential-helper.keychain-db cannot be unlocked with --keychain-password: the password",
    );
    assertEquals(message.includes("guessed"), false);
  });
});

store.test("names the remedies when a locked keychain cannot be unlocked", async () => {
  await store.withDouble([LOCKED], async (double) => {
    await using signer = await store.openKey(double);
    const message = await refusal(() => signer.sign(MESSAGE, "SHA-256"), "key-locked");
    for (const hint of ["security unlock-keychain", "--keychain-password", "(-25308)"]) {
      assertStringIncludes(message, hint);
    }
  });
});

store.test("uses keys that are in no keychain file", async () => {
  await store.withDouble([keep(ec, { keychain: "none" })], async (double) => {
    const context = scriptedContext({ secrets: { "keychain-password": "unused" } });
    await using signer = await store.openKey(double, { context });
    await signer.sign(MESSAGE, "SHA-256");
  });
});

store.test("throws key-not-found when the identity is removed during use", async () => {
  await store.withDouble([keep(rsa)], async (double) => {
    await using signer = await store.openKey(double);
    await signer.sign(MESSAGE, "SHA-256");
    double.remove();
    const message = await refusal(() => signer.sign(MESSAGE, "SHA-256"), "key-not-found");
    assertStringIncludes(message, "no longer in the keychain");
  });
  await store.withDouble([keep(rsa), keep(ec)], async (double) => {
    double.fail("SecIdentityCopyCertificate", -25300, 1); // removed during the search
    await using signer = await store.openKey(double);
    assertEquals(signer.publicKey.keyType, "RSA");
  });
});

Deno.test("keychain: throws usage for attributes it does not know", async () => {
  const uri = store.uri("keychain:store-name=MY");
  await refusal(() => NOWHERE.readCertificates(uri, NO_CONTEXT), "usage");
});
