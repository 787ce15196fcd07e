import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { SessionVendor } from "../../src/credentials/refresh/session_vendor.ts";
import { HelperError } from "../../src/errors.ts";
import type { KeystoreContext } from "../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import type { CreateSessionDeps } from "../../src/rolesanywhere/create_session.ts";
import { formatPem, parsePem } from "../../src/x509/pem.ts";
import { keystore } from "../../plugins/file/mod.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { ARNS } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { NO_CONTEXT, scriptedContext } from "../support/scripted_context.ts";

/** Returns the service's response with a session of one hour from `now`. */
function response(now: Date): Uint8Array {
  const credentials = {
    accessKeyId: "ASIA1",
    secretAccessKey: "s",
    sessionToken: "t",
    expiration: new Date(now.getTime() + 3_600_000).toISOString(),
  };
  return new TextEncoder().encode(JSON.stringify({ credentialSet: [{ credentials }] }));
}

/** Vendor of a certificate and a key in files, with the sent serial numbers and its messages. */
class VendorFixture implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly certificate = this.directory.join("certificate.pem");
  readonly key = this.directory.join("key.pem");
  readonly messages: string[] = [];
  readonly sent: string[] = [];
  now = new Date();

  /** Issues a pair; returns its serial number as sent. */
  async issue(serial: bigint, days = 365): Promise<{ certificate: string; key: string }> {
    const authority = await createAuthority(this.directory, { subject: "/CN=Authority" });
    const { certificatePem, keyPem } = await issueCertificate(authority, {
      subject: "/CN=leaf",
      serial,
      days,
    });
    return { certificate: certificatePem, key: keyPem };
  }

  install(pair: { certificate?: string; key?: string }): void {
    if (pair.certificate !== undefined) this.directory.write("certificate.pem", pair.certificate);
    if (pair.key !== undefined) this.directory.write("key.pem", pair.key);
  }

  vendor(context: KeystoreContext = NO_CONTEXT): SessionVendor {
    const deps: CreateSessionDeps = {
      send: ({ headers }) => {
        const authorization = headers.get("authorization") ?? "";
        this.sent.push(/Credential=(\d+)\//.exec(authorization)?.[1] ?? "none");
        return Promise.resolve({ status: 201, headers: new Map(), body: response(this.now) });
      },
      now: () => this.now,
      monotonic: () => 0,
      sleep: () => Promise.resolve(),
      random: () => 0.5,
      debug: () => {},
    };
    return new SessionVendor(
      {
        certificate: parseKeystoreUri(this.certificate, "--certificate"),
        privateKey: parseKeystoreUri(this.key, "--private-key"),
      },
      {
        endpoint: new URL("https://example.invalid"),
        region: "us-east-1",
        arns: parseSessionArns(ARNS),
        durationSeconds: 3600,
      },
      () => Promise.resolve(keystore),
      context,
      deps,
      (message) => this.messages.push(message),
    );
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

Deno.test("vend() signs with the new pair when both files have changed", async () => {
  using fixture = new VendorFixture();
  fixture.install(await fixture.issue(1n));
  await using vendor = fixture.vendor();
  await vendor.vend();
  fixture.install(await fixture.issue(2n));
  await vendor.vend();
  assertEquals([fixture.sent, fixture.messages], [["1", "2"], []]);
});

/** Returns a P-256 key, PKCS#8, with the public key of another one: its last bytes. */
function withPublicKeyOf(key: string, other: string): string {
  const [[mine], [its]] = [parsePem(key), parsePem(other)];
  assert(mine && its);
  const bytes = Uint8Array.from(mine.bytes);
  bytes.set(its.bytes.subarray(-64), bytes.length - 64);
  return formatPem(mine.label, bytes);
}

const SPOILS: Record<
  string,
  (fixture: VendorFixture, next: { certificate: string; key: string }) => void
> = {
  "only the certificate has been replaced": (fixture, { certificate }) =>
    fixture.install({ certificate }),
  "only the key has been replaced": (fixture, { key }) => fixture.install({ key }),
  "the key is half written": (fixture, { certificate, key }) =>
    fixture.install({ certificate, key: key.slice(0, 100) }),
  "the key has the new public key": (fixture, { certificate, key }) =>
    fixture.install({
      certificate,
      key: withPublicKeyOf(Deno.readTextFileSync(fixture.key), key),
    }),
  "the certificate is empty": (fixture) => fixture.install({ certificate: "" }),
  "the files are gone": (fixture) => Deno.removeSync(fixture.certificate),
};

for (const [what, spoil] of Object.entries(SPOILS)) {
  Deno.test(`vend() warns once and signs with the previous pair if ${what}`, async () => {
    using fixture = new VendorFixture();
    fixture.install(await fixture.issue(1n));
    await using vendor = fixture.vendor();
    await vendor.vend();
    const next = await fixture.issue(2n);
    spoil(fixture, next);
    await vendor.vend();
    await vendor.vend();
    assertEquals(fixture.sent, ["1", "1", "1"]);
    assertEquals(fixture.messages.length, 1);
    assertStringIncludes(
      fixture.messages[0] ?? "",
      "the key and certificate read before are still used",
    );
    fixture.install(next);
    await vendor.vend();
    assertEquals([fixture.sent.at(-1), fixture.messages.length], ["2", 1]);
  });
}

Deno.test("vend() throws if no pair was ever usable, or the last one has expired", async () => {
  using fixture = new VendorFixture();
  await using vendor = fixture.vendor();
  const missing = await assertRejects(() => vendor.vend(), HelperError);
  assertEquals(missing.code, "key-not-found");
  fixture.install(await fixture.issue(1n, 2));
  await vendor.vend();
  Deno.removeSync(fixture.key);
  fixture.now = new Date(fixture.now.getTime() + 3 * 24 * 3_600_000);
  await assertRejects(() => vendor.vend(), HelperError, "does not exist");
});

Deno.test("vend() warns once of each certificate that is about to expire", async () => {
  using fixture = new VendorFixture();
  fixture.install(await fixture.issue(1n, 365));
  await using vendor = fixture.vendor();
  await vendor.vend();
  assertEquals(fixture.messages, []);
  fixture.now = new Date(fixture.now.getTime() + 352 * 24 * 3_600_000);
  await vendor.vend();
  await vendor.vend();
  assertEquals(fixture.messages.length, 1);
  assert(
    /^warning: the certificate in .*certificate\.pem expires at \S+Z; renew it$/.test(
      fixture.messages[0] ?? "",
    ),
  );
});

Deno.test("vend() prompts for a passphrase once, and again if it is wrong", async () => {
  using fixture = new VendorFixture();
  const lock = async (key: string, passphrase: string) => {
    const plain = fixture.directory.write("plain.pem", key);
    const args = ["pkcs8", "-topk8", "-in", plain, "-passout", `pass:${passphrase}`];
    return new TextDecoder().decode(await openssl(args));
  };
  const first = await fixture.issue(1n);
  fixture.install({ ...first, key: await lock(first.key, "one") });
  const context = scriptedContext({ answers: ["one", "two"] });
  await using vendor = fixture.vendor(context);
  await vendor.vend();
  await vendor.vend();
  assertEquals(context.questions.length, 1);
  const second = await fixture.issue(2n);
  fixture.install({ ...second, key: await lock(second.key, "two") });
  await vendor.vend();
  assertEquals([context.questions.length, fixture.sent], [2, ["1", "1", "2"]]);
});
