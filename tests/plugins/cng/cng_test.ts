import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { createKeystore } from "../../../plugins/cng/mod.ts";
import { HelperError } from "../../../src/errors.ts";
import { openIdentity } from "../../../src/keystore/open_identity.ts";
import type { Digest, KeystoreContext, Signer } from "../../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { type Certificate, parseCertificate } from "../../../src/x509/certificate.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";
import type { KeyType } from "../../support/certificates.ts";
import { issueMldsaCertificate } from "../../support/mldsa_certificate.ts";
import { testWith, whyMissing } from "../../support/needs.ts";
import { opensslVerifies, stored, StoreFixture, type StoreIdentity } from "../store_fixture.ts";
import { compileDouble } from "./compile_double.ts";
import { CngDouble, type Held, type KeyKind } from "./double.ts";

const reason = whyMissing("compiler");
const fixture = new StoreFixture();
const path = reason ? "" : await compileDouble("linux", fixture.directory.join("libcng.so"));
const [root, lower] = await fixture.authorities;
const identities = {
  "rsa-2048": await fixture.issue("rsa-2048", "/CN=rsa"),
  "ec-p256": await fixture.issue("ec-p256", "/CN=ec"),
  "ec-p384": await fixture.issue("ec-p384", "/CN=ec384"),
  "ec-p521": await fixture.issue("ec-p521", "/CN=ec521"),
} satisfies Partial<Record<KeyType, StoreIdentity>>;
const { "rsa-2048": rsa, "ec-p256": ec } = identities;

const hold = ({ encoded, keyPath }: StoreIdentity, kind: KeyKind = "cng"): Held => ({
  encoded,
  kind,
  ...(kind === "none" ? {} : { keyPath }),
});

/** Runs `use` with a double that holds `held`, and checks that nothing stays alive. */
async function withDouble(
  held: readonly Held[],
  use: (double: CngDouble) => Promise<void>,
): Promise<void> {
  using double = new CngDouble(path);
  double.hold(held);
  await use(double);
  assertEquals(double.live, 0, "objects that nobody released");
}

interface Given extends Partial<KeystoreContext> {
  readonly uri?: string;
  readonly beside?: Certificate;
}

async function openKey(double: CngDouble, given: Given = {}): Promise<Signer> {
  const { uri = "cng:", beside, ...context } = given;
  const keystore = createKeystore(double.libraries);
  const opened = await keystore.openKey(
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

const KINDS: [KeyKind, (keyof typeof identities)[]][] = [
  ["cng", ["rsa-2048", "ec-p256", "ec-p384", "ec-p521"]],
  ["cng cached", ["rsa-2048", "ec-p256"]],
  ["CryptoAPI with SHA-2", ["rsa-2048"]],
  ["CryptoAPI without SHA-2", ["rsa-2048"]],
];

for (const [kind, keyTypes] of KINDS) {
  for (const keyType of keyTypes) {
    testWith(
      ["compiler"],
      `cng: signs with a key of kind "${kind}", ${keyType}, and openssl verifies`,
      async () => {
        await withDouble([hold(identities[keyType], kind)], async (double) => {
          await using signer = await openKey(double);
          for (const digest of DIGESTS) {
            const signature = await signer.sign(MESSAGE, digest);
            const name = digest.toLowerCase().replace("-", "");
            assert(
              await opensslVerifies(fixture, identities[keyType], name, MESSAGE, signature),
              digest,
            );
          }
        });
      },
    );
  }
}

testWith(["compiler"], "cng: makes many signatures at once and each is right", async () => {
  await withDouble([hold(rsa), hold(ec)], async (double) => {
    await using first = await openKey(double, { uri: "cng:x509Subject=CN%3Drsa" });
    await using second = await openKey(double, { uri: "cng:x509Subject=CN%3Dec" });
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

testWith(
  ["compiler"],
  "cng: gives the issuers without the certificate itself and without the root",
  async () => {
    const held: Held[] = [
      { ...hold(ec), issuer: 1 },
      { ...hold(lower, "none"), issuer: 2, inStore: false },
      { ...hold(root, "none"), inStore: false },
    ];
    await withDouble(held, async (double) => {
      const keystore = createKeystore(double.libraries);
      const uri = parseKeystoreUri("cng:", "--certificate");
      const certificates = await keystore.readCertificates(uri, NO_CONTEXT);
      assertEquals(certificates.map(({ encoded }) => encoded), [ec.encoded, lower.encoded]);
      await using identity = await openIdentity(
        { certificate: uri },
        () => Promise.resolve(keystore),
        NO_CONTEXT,
      );
      assertEquals(identity.chain.map(({ encoded }) => encoded), [lower.encoded]);
    });
  },
);

testWith(
  ["compiler"],
  "cng: goes without issuers when Windows finds none, with a word under --debug",
  async () => {
    await withDouble([hold(ec)], async (double) => {
      double.fail("CertGetCertificateChain", 0x80092012);
      const said: string[] = [];
      await using signer = await openKey(double, { debug: (words) => said.push(words) });
      assertEquals(signer.certificates.length, 1);
      assertStringIncludes(said.join("\n"), "without its issuers");
    });
  },
);

testWith(
  ["compiler"],
  "cng: lists every certificate of the store, keys or none, each with a selector",
  async () => {
    await withDouble([hold(rsa), hold(ec, "none"), hold(lower, "none")], async (double) => {
      const keystore = createKeystore(double.libraries);
      const list = async (uri: string) =>
        await keystore.listCertificates(parseKeystoreUri(uri, "--certificate"), NO_CONTEXT);
      const listed = await list("cng:");
      assertEquals(listed.length, 3);
      for (const { selector } of listed) assertStringIncludes(selector ?? "", "Key=x509Serial");
      assertEquals((await list("cng:x509Subject=CN%3Dec")).length, 1);
      assertEquals(await list("cng:x509Serial=00"), []);
    });
  },
);

testWith(
  ["compiler"],
  "cng: reads the store and location of flags, and of the URI before them",
  async () => {
    await withDouble([hold(ec)], async (double) => {
      const setting = (name: string) =>
        ({ "system-store-name": "WebHosting", "system-store-location": "machine" })[name];
      const said: string[] = [];
      const debug = (words: string) => said.push(words);
      await (await openKey(double, { setting, debug }))[Symbol.asyncDispose]();
      const uri = "cng:store-name=MY;store-location=user";
      await (await openKey(double, { setting, debug, uri }))[Symbol.asyncDispose]();
      assertStringIncludes(said.join("\n"), "store WebHosting of the machine");
      assertStringIncludes(said.join("\n"), "store MY of the user");
      const words = await refusal(
        () => openKey(double, { setting: () => "Nowhere", uri: "cng:store-location=user" }),
        "key-not-found",
      );
      assertStringIncludes(words, '"Nowhere" of the user does not exist');
      await refusal(() => openKey(double, { uri: "cng:store-location=moon" }), "usage");
    });
  },
);

testWith(
  ["compiler"],
  "cng: takes the one with a key of several, refuses several with keys, and takes the latest when told",
  async () => {
    const [short, long] = await Promise.all(
      [10, 90].map((days) => fixture.issue("ec-p256", "/CN=renewed", { days })),
    );
    assert(short && long);
    const uri = "cng:x509Subject=CN%3Drenewed";
    await withDouble([hold(short), hold(long, "none")], async (double) => {
      await using signer = await openKey(double, { uri });
      assertEquals(signer.certificates[0]?.encoded, short.encoded);
    });
    await withDouble([hold(short), hold(long)], async (double) => {
      assertStringIncludes(
        await refusal(() => openKey(double, { uri }), "key-not-found"),
        "CN=renewed",
      );
      const isOn = (name: string) => name === "use-latest-expiring-certificate";
      await using signer = await openKey(double, { uri, isOn });
      assertEquals(signer.certificates[0]?.encoded, long.encoded);
      const beside = parseCertificate(short.encoded);
      await using besides = await openKey(double, { uri, beside });
      assertEquals(besides.certificates[0]?.encoded, short.encoded);
    });
  },
);

testWith(
  ["compiler"],
  "cng: skips certificates that cannot be read, with a word under --debug",
  async () => {
    const broken = { encoded: ec.encoded.slice(1), kind: "none" } as const;
    await withDouble([broken, hold(rsa), broken], async (double) => {
      const said: string[] = [];
      await using signer = await openKey(double, { debug: (words) => said.push(words) });
      assertEquals(signer.publicKey.keyType, "RSA");
      assertEquals(said.filter((words) => words.includes("skipped")).length, 2);
    });
  },
);

testWith(["compiler"], "cng: refuses a kind of key that Windows cannot sign with", async () => {
  const mldsa = await issueMldsaCertificate(lower, { subject: "/CN=ml-dsa", level: 65 });
  const { encoded } = await stored({ ...mldsa, directory: lower.directory });
  await withDouble([{ encoded, kind: "none" }], async (double) => {
    assertStringIncludes(
      await refusal(() => openKey(double), "key-unsupported"),
      "ML-DSA-65 keys in the Windows certificate store cannot be used",
    );
  });
});

/** Every call that can fail when a key is opened and used, with a code and what it must say. */
const FAILURES: [fn: string, code: number, kind: KeyKind, error: string, words: string][] = [
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
  ["CryptAcquireCertificatePrivateKey", 0, "cng", "key-unreadable", "does not say why"],
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

for (const [fn, code, kind, error, words] of FAILURES) {
  const what = fn === "" ? "nothing" : `${fn} with 0x${code.toString(16)}`;
  testWith(
    ["compiler"],
    `cng: says ${error} and frees all when ${what} fails for a key of kind "${kind}"`,
    async () => {
      await withDouble([hold(rsa, kind)], async (double) => {
        double.fail(fn, code);
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
  "cng: frees the certificates seen when the enumeration breaks off",
  async () => {
    await withDouble([hold(rsa), hold(ec), hold(lower, "none")], async (double) => {
      double.fail("CertEnumCertificatesInStore", 0x80092004, 2);
      const keystore = createKeystore(double.libraries);
      const debug = (): never => {
        throw new Error("thrown in the middle");
      };
      await assertRejects(
        () => keystore.listCertificates(parseKeystoreUri("cng:", "x"), { ...NO_CONTEXT, debug }),
        Error,
        "in the middle",
      );
    });
  },
);

testWith(
  ["compiler"],
  "cng: gives a smart card the PIN of --context-pin, or asks once",
  async () => {
    await withDouble([hold(ec, "cng smart card")], async (double) => {
      double.setPin("1234");
      const secret = () => Promise.resolve("1234");
      {
        await using signer = await openKey(double, { secret });
        const signature = await signer.sign(MESSAGE, "SHA-256");
        assert(await opensslVerifies(fixture, ec, "sha256", MESSAGE, signature));
      }
      const questions: string[] = [];
      const answering = (answer?: string) => (question: string) => {
        questions.push(question);
        return Promise.resolve(answer);
      };
      await using asked = await openKey(double, { prompt: answering("1234") });
      await asked.sign(MESSAGE, "SHA-256");
      await asked.sign(MESSAGE, "SHA-256");
      assertEquals(questions, ["PIN of the smart card for cng:: "]);

      await using wrong = await openKey(double, { prompt: answering("9999") });
      const words = await refusal(() => wrong.sign(MESSAGE, "SHA-256"), "key-locked");
      assertStringIncludes(words, "refused the PIN");
      assertEquals(words.includes("9999"), false);
      await using silent = await openKey(double, { prompt: answering(undefined) });
      assertStringIncludes(
        await refusal(() => silent.sign(MESSAGE, "SHA-256"), "key-locked"),
        "in a window",
      );
    });
  },
);

testWith(["compiler"], "cng: closes once however often the signer is disposed of", async () => {
  await withDouble([hold(rsa, "CryptoAPI with SHA-2")], async (double) => {
    const signer = await openKey(double);
    assert(double.live > 0);
    await signer[Symbol.asyncDispose]();
    await signer[Symbol.asyncDispose]();
  });
});

Deno.test("cng: says that a library is missing when there is none", async () => {
  const nowhere = { crypt32: "/nowhere", ncrypt: "", advapi32: "", kernel32: "/nowhere" };
  const keystore = createKeystore(() => nowhere);
  const uri = parseKeystoreUri("cng:", "--certificate");
  await refusal(() => keystore.readCertificates(uri, NO_CONTEXT), "keystore-unavailable");
});

testWith(["linux"], "cng: refuses in one sentence on a system that is not Windows", async () => {
  const { keystore } = await import("../../../plugins/cng/mod.ts");
  const uri = parseKeystoreUri("cng:x509Serial=01", "--certificate");
  for (const use of [keystore.openKey, keystore.readCertificates]) {
    assertEquals(
      await refusal(async () => await use(uri, NO_CONTEXT), "keystore-unavailable"),
      "cng:x509Serial=01: the Windows certificate store (cng:) is only available on Windows; " +
        "use a certificate and key file",
    );
  }
});
