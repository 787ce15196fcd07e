import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { SessionVendor } from "../../src/credentials/refresh/session_vendor.ts";
import { HelperError } from "../../src/errors.ts";
import type { KeystoreContext } from "../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { parseSessionArns } from "../../src/rolesanywhere/arn.ts";
import type { CreateSessionDeps } from "../../src/rolesanywhere/create_session.ts";
import { keystore } from "../../plugins/file/mod.ts";
import { NO_CONTEXT } from "../keystore/fake_keystore.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { ARNS } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

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

/** A vendor of a certificate and a key in files, the serial numbers it sent, and its words. */
class Scene implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly certificate = this.directory.join("certificate.pem");
  readonly key = this.directory.join("key.pem");
  readonly said: string[] = [];
  readonly sent: string[] = [];
  now = new Date();

  /** Issues a pair; gives its serial number as it will be sent. */
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
      (words) => this.said.push(words),
    );
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

Deno.test("vend() signs with the new pair when both files have changed", async () => {
  using scene = new Scene();
  scene.install(await scene.issue(1n));
  await using vendor = scene.vendor();
  await vendor.vend();
  scene.install(await scene.issue(2n));
  await vendor.vend();
  assertEquals([scene.sent, scene.said], [["1", "2"], []]);
});

const SPOILS: Record<string, (scene: Scene, next: { certificate: string; key: string }) => void> = {
  "only the certificate has been replaced": (scene, { certificate }) =>
    scene.install({ certificate }),
  "only the key has been replaced": (scene, { key }) => scene.install({ key }),
  "the key is half written": (scene, { certificate, key }) =>
    scene.install({ certificate, key: key.slice(0, 100) }),
  "the certificate is empty": (scene) => scene.install({ certificate: "" }),
  "the files are gone": (scene) => Deno.removeSync(scene.certificate),
};

for (const [what, spoil] of Object.entries(SPOILS)) {
  Deno.test(`vend() warns once and signs with the pair before when ${what}`, async () => {
    using scene = new Scene();
    scene.install(await scene.issue(1n));
    await using vendor = scene.vendor();
    await vendor.vend();
    const next = await scene.issue(2n);
    spoil(scene, next);
    await vendor.vend();
    await vendor.vend();
    assertEquals(scene.sent, ["1", "1", "1"]);
    assertEquals(scene.said.length, 1);
    assertStringIncludes(scene.said[0] ?? "", "the key and certificate read before are still used");
    scene.install(next);
    await vendor.vend();
    assertEquals([scene.sent.at(-1), scene.said.length], ["2", 1]);
  });
}

Deno.test("vend() throws when nothing was ever readable, or what was has expired", async () => {
  using scene = new Scene();
  await using vendor = scene.vendor();
  const missing = await assertRejects(() => vendor.vend(), HelperError);
  assertEquals(missing.code, "key-not-found");
  scene.install(await scene.issue(1n, 2));
  await vendor.vend();
  Deno.removeSync(scene.key);
  scene.now = new Date(scene.now.getTime() + 3 * 24 * 3_600_000);
  await assertRejects(() => vendor.vend(), HelperError, "does not exist");
});

Deno.test("vend() warns once of each certificate that is about to expire", async () => {
  using scene = new Scene();
  scene.install(await scene.issue(1n, 365));
  await using vendor = scene.vendor();
  await vendor.vend();
  assertEquals(scene.said, []);
  scene.now = new Date(scene.now.getTime() + 352 * 24 * 3_600_000);
  await vendor.vend();
  await vendor.vend();
  assertEquals(scene.said.length, 1);
  assert(
    /^warning: the certificate in .*certificate\.pem expires at \S+Z; renew it$/.test(
      scene.said[0] ?? "",
    ),
  );
});

Deno.test("vend() asks for a passphrase once, and again when it no longer fits", async () => {
  using scene = new Scene();
  const lock = async (key: string, passphrase: string) => {
    const plain = scene.directory.write("plain.pem", key);
    const args = ["pkcs8", "-topk8", "-in", plain, "-passout", `pass:${passphrase}`];
    return new TextDecoder().decode(await openssl(args));
  };
  const first = await scene.issue(1n);
  scene.install({ ...first, key: await lock(first.key, "one") });
  const answers = ["one", "two"];
  const questions: string[] = [];
  await using vendor = scene.vendor({
    ...NO_CONTEXT,
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(answers[questions.length - 1]);
    },
  });
  await vendor.vend();
  await vendor.vend();
  assertEquals(questions.length, 1);
  const second = await scene.issue(2n);
  scene.install({ ...second, key: await lock(second.key, "two") });
  await vendor.vend();
  assertEquals([questions.length, scene.sent], [2, ["1", "1", "2"]]);
});
