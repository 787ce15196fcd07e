import { assert, assertEquals, assertStringIncludes } from "@std/assert";

import type { ErrorCode } from "../../src/errors.ts";
import { openIdentity } from "../../src/keystore/open_identity.ts";
import type { Keystore, KeystoreContext, Signer } from "../../src/keystore/types.ts";
import type { Digest } from "../../src/x509/verify_signature.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../src/keystore/uri.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { testWith } from "../support/needs.ts";
import { refusal } from "../support/refusal.ts";
import { NO_CONTEXT, scriptedContext } from "../support/scripted_context.ts";
import type { DoubleEntry, StoreDouble } from "./store_double.ts";
import { opensslVerifies, stored, StoreFixture, type StoreIdentity } from "./store_fixture.ts";

/** Message that the tests sign. */
export const MESSAGE = new TextEncoder().encode("what is signed");
const DIGESTS: readonly Digest[] = ["SHA-256", "SHA-384", "SHA-512"];

/** Certificates of the tests. */
export const fixture = new StoreFixture();
export const [root, lower] = await fixture.authorities;
/** End-entity certificates by their key type. */
export const identities = {
  "rsa-2048": await fixture.issue("rsa-2048", "/CN=rsa"),
  "ec-p256": await fixture.issue("ec-p256", "/CN=ec"),
  "ec-p384": await fixture.issue("ec-p384", "/CN=ec384"),
  "ec-p521": await fixture.issue("ec-p521", "/CN=ec521"),
};
const { "rsa-2048": rsa, "ec-p256": ec } = identities;

/** Input of {@link StoreTests.openKey}. */
export interface Given {
  readonly uri?: string;
  readonly context?: KeystoreContext;
  /** The certificate that selects the key. */
  readonly certificate?: Certificate;
}

/** Parts of a store that the shared tests need. */
export interface StoreKind<Entry, Double> {
  readonly scheme: "cng" | "keychain";
  /** Store and system as messages name them. */
  readonly names: { readonly store: string; readonly system: string };
  /** Opens the double. */
  open(): Double;
  /** Returns the entry of a certificate with its key. */
  hold(identity: StoreIdentity): Entry;
  /** Returns the entry of a certificate whose key the store has, of a type that it cannot use. */
  holdUnsupported(encoded: Uint8Array): Entry;
  /** Level of ML-DSA of that key. */
  readonly mldsaLevel: 44 | 65;
  /** Entries whose keys are released in different ways. */
  readonly kindsOfKeys: readonly Entry[];
  /** A keystore whose libraries do not exist. */
  readonly withoutLibraries: Keystore;
  /** The keystore of this machine. */
  readonly ofThisMachine: Keystore;
}

/** Failure of one call when a key is opened and used. */
export interface Failure<Entry, Double> {
  /** End of the test's title. */
  readonly title: string;
  readonly fn: string;
  readonly code: number;
  readonly error: ErrorCode;
  /** Text that the message must have. */
  readonly message: string;
  readonly entries: readonly Entry[];
  /** Changes the double. */
  readonly prepare?: (double: Double) => void;
}

/** Helpers and shared tests of the keystores of Windows and macOS over their doubles. */
export class StoreTests<Entry extends DoubleEntry, Double extends StoreDouble<Entry>> {
  constructor(readonly kind: StoreKind<Entry, Double>) {}

  /** Registers a test with this store's name. */
  test(title: string, body: () => Promise<void>): void {
    testWith(["compiler"], `${this.kind.scheme}: ${title}`, body);
  }

  /** Runs `use` with a double that holds `entries`, and checks that no object stays alive. */
  async withDouble(
    entries: readonly Entry[],
    use: (double: Double) => Promise<void>,
    open = this.kind.open,
  ): Promise<void> {
    using double = open();
    double.hold(entries);
    await use(double);
    assertEquals(double.live, 0, "objects that nobody released");
  }

  /** Parses a URI; default: every certificate. */
  uri(text = `${this.kind.scheme}:`): KeystoreUri {
    return parseKeystoreUri(text, "--certificate");
  }

  /** Opens a key; fails if it belongs to another keystore. */
  async openKey(double: Double, given: Given = {}): Promise<Signer> {
    const { uri, context = NO_CONTEXT, certificate } = given;
    const opened = await double.keystore.openKey(this.uri(uri), context, certificate);
    assert(!("target" in opened) && !("softwareKey" in opened));
    return opened;
  }

  /** Signs once with the only key. */
  async sign(double: Double): Promise<void> {
    await using signer = await this.openKey(double);
    await signer.sign(MESSAGE, "SHA-256");
  }

  /** Signs with every digest; openssl verifies the signatures. */
  async assertSigns(double: Double, identity: StoreIdentity): Promise<void> {
    await using signer = await this.openKey(double);
    for (const digest of DIGESTS) {
      const signature = await signer.sign(MESSAGE, digest);
      const name = digest.toLowerCase().replace("-", "");
      assert(await opensslVerifies(fixture, identity, name, MESSAGE, signature), digest);
    }
  }

  /** Checks that the intermediate certificate is returned, and neither the root nor the certificate. */
  async assertIssuers(double: Double): Promise<void> {
    const { keystore } = double;
    const uri = this.uri();
    const certificates = await keystore.readCertificates(uri, NO_CONTEXT);
    assertEquals(certificates.map(({ encoded }) => encoded), [ec.encoded, lower.encoded]);
    await using identity = await openIdentity(
      { certificate: uri },
      () => Promise.resolve(keystore),
      NO_CONTEXT,
    );
    assertEquals(identity.chain.map(({ encoded }) => encoded), [lower.encoded]);
  }

  /** Lists the certificates that match. */
  async list(double: Double, uri?: string, context = NO_CONTEXT) {
    return await double.keystore.listCertificates(this.uri(uri), context);
  }

  /** Makes two certificates of one name; the second expires later. */
  async renewed(): Promise<[short: StoreIdentity, long: StoreIdentity]> {
    const issue = (days: number) => fixture.issue("ec-p256", "/CN=renewed", { days });
    return await Promise.all([issue(10), issue(90)]);
  }

  /** Checks that the flag selects the latest certificate, and `certificate` the one it names. */
  async assertSelection(
    double: Double,
    short: StoreIdentity,
    long: StoreIdentity,
    uri?: string,
  ): Promise<void> {
    const context = scriptedContext({ switches: ["use-latest-expiring-certificate"] });
    const of = uri === undefined ? {} : { uri };
    await using latest = await this.openKey(double, { ...of, context });
    assertEquals(latest.certificates[0]?.encoded, long.encoded);
    const certificate = parseCertificate(short.encoded);
    await using selected = await this.openKey(double, { ...of, certificate });
    assertEquals(selected.certificates[0]?.encoded, short.encoded);
  }

  /** Checks that the RSA key is opened, and that a debug message is logged for each of `skipped`. */
  async assertSkips(double: Double, skipped: number): Promise<void> {
    const context = scriptedContext();
    await using signer = await this.openKey(double, { context });
    assertEquals(signer.publicKey.keyType, "RSA");
    const messages = context.debugMessages.filter((message) => message.includes("skipped"));
    assertEquals(messages.length, skipped);
  }

  /** Registers a test for each failure: its error, and that everything is released. */
  addFailures(failures: readonly Failure<Entry, Double>[]): void {
    for (const { title, fn, code, error, message, entries, prepare } of failures) {
      this.test(`throws ${error} and releases all when ${title}`, async () => {
        await this.withDouble(entries, async (double) => {
          double.fail(fn, code);
          prepare?.(double);
          assertStringIncludes(await refusal(() => this.sign(double), error), message);
        });
      });
    }
  }

  /** Registers the tests that are the same for both stores. */
  addShared(): void {
    const { scheme, names, hold, holdUnsupported, mldsaLevel, kindsOfKeys } = this.kind;
    const { withoutLibraries, ofThisMachine } = this.kind;

    this.test("makes many signatures at once and each is right", async () => {
      await this.withDouble([hold(rsa), hold(ec)], async (double) => {
        await using first = await this.openKey(double, { uri: `${scheme}:x509Subject=CN%3Drsa` });
        await using second = await this.openKey(double, { uri: `${scheme}:x509Subject=CN%3Dec` });
        const messages = Array.from(
          { length: 40 },
          (_, i) => new TextEncoder().encode(`message ${i}`),
        );
        const signatures = await Promise.all(
          messages.map((message, i) => (i % 2 ? first : second).sign(message, "SHA-256")),
        );
        for (const [i, message] of messages.entries()) {
          const signature = signatures[i] ?? new Uint8Array();
          assert(await opensslVerifies(fixture, i % 2 ? rsa : ec, "sha256", message, signature));
        }
      });
    });

    this.test(`refuses a kind of key that ${names.system} cannot sign with`, async () => {
      const mldsa = await issueMldsaCertificate(lower, {
        subject: "/CN=ml-dsa",
        level: mldsaLevel,
      });
      const { encoded } = await stored({ ...mldsa, directory: lower.directory });
      await this.withDouble([holdUnsupported(encoded)], async (double) => {
        assertStringIncludes(
          await refusal(() => this.openKey(double), "key-unsupported"),
          `ML-DSA-${mldsaLevel} keys in the ${names.store} cannot be used`,
        );
      });
    });

    this.test("releases once however often the signer is disposed of", async () => {
      for (const entry of kindsOfKeys) {
        await this.withDouble([entry], async (double) => {
          const signer = await this.openKey(double);
          assert(double.live > 0);
          await signer[Symbol.asyncDispose]();
          await signer[Symbol.asyncDispose]();
        });
      }
    });

    Deno.test(`${scheme}: throws keystore-unavailable when a library is missing`, async () => {
      await refusal(
        () => withoutLibraries.readCertificates(this.uri(), NO_CONTEXT),
        "keystore-unavailable",
      );
    });

    testWith(
      ["linux"],
      `${scheme}: refuses in one sentence on a system that is not ${names.system}`,
      async () => {
        const uri = this.uri(`${scheme}:x509Serial=01`);
        for (const use of [ofThisMachine.openKey, ofThisMachine.readCertificates]) {
          assertEquals(
            await refusal(async () => await use(uri, NO_CONTEXT), "keystore-unavailable"),
            `${scheme}:x509Serial=01: the ${names.store} (${scheme}:) is only available on ` +
              `${names.system}; use a certificate and key file`,
          );
        }
      },
    );
  }
}
