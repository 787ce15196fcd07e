import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { createKeystore, keystore } from "../../../plugins/cng/mod.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { whyMissing } from "../../support/needs.ts";
import { refusal } from "../../support/refusal.ts";
import { NO_CONTEXT, scriptedContext } from "../../support/scripted_context.ts";
import { opensslVerifies, type StoreIdentity } from "../store_fixture.ts";
import { fixture, identities, lower, MESSAGE, root, StoreTests } from "../store_tests.ts";
import { compileDouble } from "./compile_double.ts";
import { CngDouble, type Held, type KeyKind } from "./double.ts";

const path = whyMissing("compiler")
  ? ""
  : await compileDouble("linux", fixture.directory.join("libcng.so"));
const { "rsa-2048": rsa, "ec-p256": ec } = identities;

const hold = ({ encoded, keyPath }: StoreIdentity, kind: KeyKind = "cng"): Held => ({
  encoded,
  kind,
  ...(kind === "none" ? {} : { keyPath }),
});

const NOWHERE = { crypt32: "/nowhere", ncrypt: "", advapi32: "", kernel32: "/nowhere" };

const store = new StoreTests<Held, CngDouble>({
  scheme: "cng",
  names: { store: "Windows certificate store", system: "Windows" },
  open: () => new CngDouble(path),
  hold,
  holdUnsupported: (encoded) => ({ encoded, kind: "none" }),
  mldsaLevel: 65,
  kindsOfKeys: [hold(rsa), hold(rsa, "CryptoAPI with SHA-2")],
  withoutLibraries: createKeystore(() => NOWHERE),
  ofThisMachine: keystore,
});

store.addShared();

const KINDS: [KeyKind, (keyof typeof identities)[]][] = [
  ["cng", ["rsa-2048", "ec-p256", "ec-p384", "ec-p521"]],
  ["cng cached", ["rsa-2048", "ec-p256"]],
  ["CryptoAPI with SHA-2", ["rsa-2048"]],
  ["CryptoAPI without SHA-2", ["rsa-2048"]],
];

for (const [kind, keyTypes] of KINDS) {
  for (const keyType of keyTypes) {
    store.test(`signs with a key of kind "${kind}", ${keyType}, and openssl verifies`, async () => {
      await store.withDouble(
        [hold(identities[keyType], kind)],
        (double) => store.assertSigns(double, identities[keyType]),
      );
    });
  }
}

store.test("returns the issuers without the certificate itself and without the root", async () => {
  const held: Held[] = [
    { ...hold(ec), issuer: 1 },
    { ...hold(lower, "none"), issuer: 2, inStore: false },
    { ...hold(root, "none"), inStore: false },
  ];
  await store.withDouble(held, (double) => store.assertIssuers(double));
});

store.test("returns no issuers when Windows finds none, with a debug message", async () => {
  await store.withDouble([hold(ec)], async (double) => {
    double.fail("CertGetCertificateChain", 0x80092012);
    const context = scriptedContext();
    await using signer = await store.openKey(double, { context });
    assertEquals(signer.certificates.length, 1);
    assertStringIncludes(context.debugMessages.join("\n"), "without its issuers");
  });
});

store.test(
  "lists every certificate of the store, keys or none, each with a selector",
  async () => {
    const held = [hold(rsa), hold(ec, "none"), hold(lower, "none")];
    await store.withDouble(held, async (double) => {
      const listed = await store.list(double);
      assertEquals(listed.length, 3);
      for (const { selector } of listed) assertStringIncludes(selector ?? "", "Key=x509Serial");
      assertEquals((await store.list(double, "cng:x509Subject=CN%3Dec")).length, 1);
      assertEquals(await store.list(double, "cng:x509Serial=00"), []);
    });
  },
);

store.test(
  "reads the store and location of flags, and of the URI before them",
  async () => {
    await store.withDouble([hold(ec)], async (double) => {
      const context = scriptedContext({
        settings: { "system-store-name": "WebHosting", "system-store-location": "machine" },
      });
      await (await store.openKey(double, { context }))[Symbol.asyncDispose]();
      const uri = "cng:store-name=MY;store-location=user";
      await (await store.openKey(double, { context, uri }))[Symbol.asyncDispose]();
      const messages = context.debugMessages.join("\n");
      assertStringIncludes(messages, "store WebHosting of the machine");
      assertStringIncludes(messages, "store MY of the user");
      const nowhere = scriptedContext({ settings: { "system-store-name": "Nowhere" } });
      const message = await refusal(
        () => store.openKey(double, { context: nowhere, uri: "cng:store-location=user" }),
        "key-not-found",
      );
      assertStringIncludes(message, '"Nowhere" of the user does not exist');
      await refusal(() => store.openKey(double, { uri: "cng:store-location=moon" }), "usage");
    });
  },
);

store.test(
  "selects the one with a key, refuses several with keys, and selects the latest with the flag",
  async () => {
    const [short, long] = await store.renewed();
    const uri = "cng:x509Subject=CN%3Drenewed";
    await store.withDouble([hold(short), hold(long, "none")], async (double) => {
      await using signer = await store.openKey(double, { uri });
      assertEquals(signer.certificates[0]?.encoded, short.encoded);
    });
    await store.withDouble([hold(short), hold(long)], async (double) => {
      assertStringIncludes(
        await refusal(() => store.openKey(double, { uri }), "key-not-found"),
        "CN=renewed",
      );
      await store.assertSelection(double, short, long, uri);
    });
  },
);

store.test("skips certificates that cannot be read, with a debug message", async () => {
  const broken = { encoded: ec.encoded.slice(1), kind: "none" } as const;
  await store.withDouble([broken, hold(rsa), broken], (double) => store.assertSkips(double, 2));
});

/** Calls that can fail when a key is opened and used: code, and text of the message. */
const FAILURES: [fn: string, code: number, kind: KeyKind, error: ErrorCode, message: string][] = [
  ["CertOpenStore", 5, "cng", "key-unreadable", "of the user may not be read"],
  ["CertEnumCertificatesInStore", 0x80092004, "cng", "key-not-found", "no certificate in"],
  ["CryptAcquireCertificatePrivateKey", 0x8009200b, "cng", "key-not-found", "no private key"],
  ["CryptAcquireCertificatePrivateKey", 0x80090016, "cng", "key-not-found", "no private key"],
  ["CryptAcquireCertificatePrivateKey", 0x80090015, "cng", "key-mismatch", "another certificate"],
  ["CryptAcquireCertificatePrivateKey", 0x80090010, "cng", "key-unreadable", "Manage Private Keys"],
  ["CryptAcquireCertificatePrivateKey", 0x80070005, "cng", "key-unreadable", "may not use the key"],
  ["CryptAcquireCertificatePrivateKey", 0x80090022, "cng", "key-locked", "in a window"],
  ["CryptAcquireCertificatePrivateKey", 0x80090019, "cng", "key-unreadable", "not installed"],
  ["CryptAcquireCertificatePrivateKey", 0x80100069, "cng", "key-not-found", "insert it"],
  ["CryptAcquireCertificatePrivateKey", 0x8009abcd, "cng", "key-unreadable", "0x8009abcd"],
  ["CryptAcquireCertificatePrivateKey", 0, "cng", "key-unreadable", "no error code"],
  ["NCryptSignHash", 0x80090022, "cng", "key-locked", "in a window"],
  ["NCryptSignHash", 0x8009002e, "cng cached", "key-locked", "in a window"],
  ["NCryptSignHash", 0x80090036, "cng", "key-locked", "cancelled"],
  ["NCryptSignHash", 0x8010006e, "cng smart card", "key-locked", "cancelled"],
  ["NCryptSignHash", 0x8010006c, "cng smart card", "key-locked", "blocked"],
  ["NCryptSignHash", 0x80280921, "cng", "key-unreadable", "locked out"],
  ["NCryptSignHash", 0x80090030, "cng", "key-not-found", "insert it"],
  ["NCryptSignHash", 0x80090020, "cng", "key-unreadable", "0x80090020"],
  ["CryptCreateHash", 0x80090020, "CryptoAPI with SHA-2", "key-unreadable", "0x80090020"],
  ["CryptSetHashParam", 0x80090020, "CryptoAPI with SHA-2", "key-unreadable", "0x80090020"],
  ["CryptSignHashW", 0x80090022, "CryptoAPI with SHA-2", "key-locked", "in a window"],
  [
    "CryptAcquireContextW",
    0x80090016,
    "CryptoAPI without SHA-2",
    "key-not-found",
    "no private key",
  ],
  ["CryptSetHashParam", 0x80090020, "CryptoAPI without SHA-2", "key-unreadable", "0x80090020"],
  [
    "CryptSignHashW",
    0x80090010,
    "CryptoAPI without SHA-2",
    "key-unreadable",
    "may not use the key",
  ],
  ["", 0, "CryptoAPI card without SHA-2", "key-unreadable", "cannot sign with this hash"],
  ["", 0, "none", "key-not-found", "no private key"],
];

store.addFailures(FAILURES.map(([fn, code, kind, error, message]) => ({
  title: `${fn === "" ? "nothing" : `${fn} with 0x${code.toString(16)}`} fails for "${kind}"`,
  ...{ fn, code, error, message },
  entries: [hold(rsa, kind)],
})));

store.test("frees the certificates seen when the enumeration breaks off", async () => {
  await store.withDouble([hold(rsa), hold(ec), hold(lower, "none")], async (double) => {
    double.fail("CertEnumCertificatesInStore", 0x80092004, 2);
    const debug = (): never => {
      throw new Error("thrown in the middle");
    };
    await assertRejects(
      () => store.list(double, "cng:", { ...NO_CONTEXT, debug }),
      Error,
      "in the middle",
    );
  });
});

store.test("sets a smart card's PIN from --context-pin, or prompts once", async () => {
  await store.withDouble([hold(ec, "cng smart card")], async (double) => {
    double.setSecret("1234");
    {
      const context = scriptedContext({ secrets: { "context-pin": "1234" } });
      await using signer = await store.openKey(double, { context });
      const signature = await signer.sign(MESSAGE, "SHA-256");
      assert(await opensslVerifies(fixture, ec, "sha256", MESSAGE, signature));
    }
    const context = scriptedContext({ answers: ["1234", "1234"] });
    await using asked = await store.openKey(double, { context });
    await asked.sign(MESSAGE, "SHA-256");
    await asked.sign(MESSAGE, "SHA-256");
    assertEquals(context.questions, ["PIN of the smart card for cng:: "]);

    await using wrong = await store.openKey(double, {
      context: scriptedContext({ answers: ["9999"] }),
    });
    const message = await refusal(() => wrong.sign(MESSAGE, "SHA-256"), "key-locked");
    assertStringIncludes(message, "refused the PIN");
    assertEquals(message.includes("9999"), false);

    // As at the next refresh of serve: the card counts wrong PINs, and blocks.
    double.setSecret("9999"); // it would be taken now, if it was sent
    await using again = await store.openKey(double, {
      context: scriptedContext({ secrets: { "context-pin": "9999" } }),
    });
    const refused = await refusal(() => again.sign(MESSAGE, "SHA-256"), "key-locked");
    assertStringIncludes(refused, "rejected this PIN before");
    assertEquals(refused.includes("9999"), false);
    await using silent = await store.openKey(double);
    assertStringIncludes(
      await refusal(() => silent.sign(MESSAGE, "SHA-256"), "key-locked"),
      "in a window",
    );
  });
});
