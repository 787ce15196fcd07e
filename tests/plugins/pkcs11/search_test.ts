import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HelperError } from "../../../src/errors.ts";
import type { Certificate } from "../../../src/x509/certificate.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { formatName } from "../../../src/x509/name.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import { certificateOf } from "../file/keystore_context.ts";
import { type Script } from "../../support/scripted_context.ts";
import { loadedKeystore, moduleContext, parseUri } from "./keystore_context.ts";
import { VARIANTS } from "./variants.ts";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
const first = await hsm.token("first");
const second = await hsm.token("second");
const bare = await hsm.token("bare");
const hidden = await hsm.token("hidden");

const root = await createAuthority(hsm.directory, { subject: "/CN=Root" });
const upper = await issueCertificate(root, { subject: "/CN=Upper", ca: true });
const lower = await issueCertificate(upper, { subject: "/CN=Lower", ca: true });
/** Certificate with the name of the leaf's issuer, but not its issuer. */
const impostor = await issueCertificate(root, {
  subject: "/CN=Lower",
  ca: true,
  extensions: { subjectKeyIdentifier: null },
});
const leaf = (subject: string, more: { keyPath?: string; days?: number } = {}) =>
  issueCertificate(lower, { subject, ...more });
const web = await leaf("/CN=web");
const otherWeb = await leaf("/CN=other web");
const renewed = await leaf("/CN=web renewed", { keyPath: web.keyPath, days: 60 });
const attested = await leaf("/CN=attested", { days: 90 });
const attestation = await leaf("/CN=attestation of another key");
const foreign = await issueCertificate(
  await createAuthority(hsm.directory, { subject: "/CN=Maker" }),
  { subject: "/CN=attestation of attested", keyPath: attested.keyPath },
);
const rsa = await issueCertificate(lower, { subject: "/CN=rsa", keyType: "rsa-2048" });
const nameless = await leaf("/CN=nameless");
const keyless = await leaf("/CN=keyless", { days: 120 });

await first.importKey(web.keyPath, { id: "01", label: "web" });
await first.importCertificate(web.certificatePath, { id: "01", label: "web" });
await first.importKey(attested.keyPath, { id: "02", label: "attested" });
await first.importPublicKey(attested.keyPath, { id: "02", label: "attested" });
await first.importCertificate(attested.certificatePath, { id: "02", label: "attested" });
await first.importCertificate(attestation.certificatePath, {
  id: "02",
  label: "X.509 Certificate for PIV Attestation 9a",
});
await first.importKey(rsa.keyPath, { id: "03", label: "the key" });
await first.importCertificate(rsa.certificatePath, { id: "03", label: "the certificate" });
await first.importKey(nameless.keyPath, { label: "nameless" });
await first.importCertificate(nameless.certificatePath, { label: "nameless" });
await first.importCertificate(keyless.certificatePath, { id: "05", label: "keyless" });
for (const [i, issuer] of [lower, impostor, upper, root].entries()) {
  await first.importCertificate(issuer.certificatePath, { id: `a${i}`, label: `issuer ${i}` });
}

await second.importKey(otherWeb.keyPath, { id: "01", label: "web" });
await second.importPublicKey(otherWeb.keyPath, { id: "01", label: "web" });
await second.importKey(web.keyPath, { id: "07", label: "twice" });
await second.importCertificate(web.certificatePath, { id: "07", label: "twice" });
await second.importCertificate(renewed.certificatePath, { id: "07", label: "twice" });

await second.importKey(attested.keyPath, { id: "08", label: "both" });
await second.importCertificate(attested.certificatePath, { id: "08", label: "both" });
await second.importCertificate(foreign.certificatePath, { id: "08", label: "both" });

await bare.importKey(web.keyPath, { label: "without identifier" });
await bare.importKey(rsa.keyPath, { id: "03", label: "rsa" });

await hidden.importKey(web.keyPath, { id: "01", label: "web" });
await hidden.importCertificate(web.certificatePath, { id: "01", label: "web", isPrivate: true });

const crowded = await hsm.token("crowded");
/** More than one call returns. */
const CROWD = 35;
for (let i = 0; i < CROWD; i++) {
  await crowded.importCertificate(web.certificatePath, { id: `${i + 10}`, label: `copy ${i}` });
}

const nameOf = (certificate: Certificate) => formatName(certificate.subject);
const isKeyOf = (publicKey: Parameters<typeof hasPublicKey>[1], { certificatePem }: typeof web) =>
  hasPublicKey(certificateOf(certificatePem), publicKey);
const MESSAGE = new TextEncoder().encode("message");

for (const { name, module, layout } of VARIANTS) {
  const keystore = await loadedKeystore({ name, module, layout }, hsm);
  /** Keystore with an empty PIN cache. */
  const fresh = await loadedKeystore({ name, module, layout }, hsm);
  const context = (options: Script) => moduleContext(module, options);
  const open = (uri: string, certificate?: typeof web, options: Script = {}) =>
    keystore.openKey(
      parseUri(`${uri}?pin-value=${PIN}`),
      context(options),
      certificate && certificateOf(certificate.certificatePem),
    );
  const read = (uri: string) => keystore.readCertificates(parseUri(uri), context({}));
  const list = (uri: string, options: Script = {}) =>
    keystore.listCertificates(parseUri(uri), context(options));
  const test = (title: string, body: () => Promise<void>) =>
    Deno.test(`${name}: ${title}`, async () => {
      using _ = hsm.enter();
      await body();
    });
  const expectError = async (work: Promise<unknown>, ...parts: string[]): Promise<HelperError> => {
    const error = await assertRejects(() => work, HelperError);
    for (const part of parts) assertStringIncludes(error.message, part);
    assertEquals(error.message.includes(PIN), false);
    return error;
  };

  test("openKey() returns key, certificate and verified chain when the URI names a certificate", async () => {
    for (
      const uri of [
        "token=first;id=%01",
        "token=first;object=web",
        "token=first;object=web;type=cert",
      ]
    ) {
      await using signer = await open(`pkcs11:${uri}`);
      assertEquals(isKeyOf(signer.publicKey, web), true);
      assertEquals(signer.certificates.map(nameOf), ["CN=web", "CN=Lower", "CN=Upper"]);
      const [, issuer] = signer.certificates;
      assertEquals(issuer?.encoded, certificateOf(lower.certificatePem).encoded);
      await signer.sign(MESSAGE, "SHA-256");
    }
  });

  test("openKey() finds the key by the certificate's CKA_ID when the label is the certificate's", async () => {
    await using signer = await open("pkcs11:token=first;object=the%20certificate");
    assertEquals(isKeyOf(signer.publicKey, rsa), true);
    await signer.sign(MESSAGE, "SHA-256");
  });

  test("openKey() finds certificate and chain when the URI names the key", async () => {
    for (
      const uri of ["object=the%20key", "object=the%20key;type=private", "id=%03;type=private"]
    ) {
      await using signer = await open(`pkcs11:token=first;${uri}`);
      assertEquals(signer.certificates.map(nameOf), ["CN=rsa", "CN=Lower", "CN=Upper"]);
    }
  });

  test("openKey() finds a key without CKA_ID by the certificate's label", async () => {
    await using signer = await open("pkcs11:token=first;object=nameless");
    assertEquals(signer.certificates.map(nameOf).at(0), "CN=nameless");
    await signer.sign(MESSAGE, "SHA-256");
  });

  test("openKey() chooses by the key when an attestation certificate has the same CKA_ID", async () => {
    await using signer = await open("pkcs11:token=first;id=%02");
    assertEquals(signer.certificates.map(nameOf).at(0), "CN=attested");
    const [certificate] = await read(`pkcs11:token=first;id=%02?pin-value=${PIN}`);
    assertEquals(nameOf(certificate), "CN=attested");
  });

  test("openKey() takes the certificate that expires last when two are of one key", async () => {
    for (const text of ["pkcs11:token=second;id=%07", "pkcs11:token=second;id=%07;type=private"]) {
      await using signer = await open(text);
      assertEquals(signer.certificates.map(nameOf), ["CN=web renewed"]);
    }
  });

  test("openKey() throws key-not-found, listing URIs, when two issuers certified one key", async () => {
    const error = await expectError(open("pkcs11:token=second;id=%08"), "2 certificates match");
    assertEquals(error.code, "key-not-found");
    const uris = error.message.match(/pkcs11:[^ ]*x-certificate-sha256=[^ ]*/g) ?? [];
    const names = await Promise.all(uris.map(async (uri) => {
      await using signer = await open(uri);
      return nameOf(signer.certificates[0] ?? certificateOf(web.certificatePem));
    }));
    assertEquals(names.toSorted(), ["CN=attestation of attested", "CN=attested"]);
  });

  test("openKey() takes the latest certificate that has a key with --use-latest-expiring-certificate", async () => {
    await using signer = await open("pkcs11:token=first", undefined, {
      switches: ["use-latest-expiring-certificate"],
    });
    assertEquals(signer.certificates.map(nameOf), ["CN=attested", "CN=Lower", "CN=Upper"]);
  });

  test("openKey() throws key-not-found when several certificates and keys match", async () => {
    const error = await expectError(open("pkcs11:token=first"), "certificates match; name one: ");
    assertStringIncludes(error.message, "object=attested;type=cert");
    await expectError(open("pkcs11:token=first;type=private"), "4 private keys match", "id=%03");
  });

  test("openKey() throws key-not-found when the token has no key for the certificate", async () => {
    const parts = ['token "first" has the certificate but not its private key'];
    assertEquals(
      (await expectError(open("pkcs11:object=keyless"), ...parts)).code,
      "key-not-found",
    );
  });

  test("openKey() finds a key for a certificate from another source", async () => {
    for (const uri of ["object=without%20identifier", "type=private", ""]) {
      await using signer = await open(`pkcs11:token=bare;${uri}`.replace(/;$/, ""), web);
      assertEquals(isKeyOf(signer.publicKey, web), true);
      assertEquals(signer.certificates, []);
      await signer.sign(MESSAGE, "SHA-384");
    }
    await using signer = await open("pkcs11:token=first;object=web;type=cert", web);
    assertEquals(isKeyOf(signer.publicKey, web), true);
  });

  test("openKey() throws key-mismatch when the only key is another certificate's", async () => {
    const error = await expectError(open("pkcs11:token=bare;id=%03", web), "does not belong");
    assertEquals(error.code, "key-mismatch");
  });

  test("sign() throws key-mismatch when its signature is not the certificate's", async () => {
    // Nothing on the token shows that this is another EC key.
    await using signer = await open("pkcs11:token=bare;object=without%20identifier", otherWeb);
    const error = await expectError(signer.sign(MESSAGE, "SHA-256"), "does not belong");
    assertEquals(error.code, "key-mismatch");
  });

  test("openKey() throws key-not-found when the public key is unknown", async () => {
    const uri = "pkcs11:token=bare;object=without%20identifier";
    await expectError(open(uri), "has no public key", "--certificate");
  });

  test("openKey() goes to the token that shows the certificate's public key, of two with like-named keys", async () => {
    await using signer = await open("pkcs11:object=web;type=private", otherWeb);
    assertEquals(isKeyOf(signer.publicKey, otherWeb), true);
    await using other = await open("pkcs11:object=web;type=private", web);
    assertEquals(isKeyOf(other.publicKey, web), true);
  });

  test("openKey() throws key-not-found, listing tokens, when a login could go to either", async () => {
    const error = await expectError(open("pkcs11:object=web;type=private"), "2 tokens match");
    for (const token of ["token=first", "token=second"]) {
      assertStringIncludes(error.message, token);
    }
    await expectError(open("pkcs11:object=nowhere"), "5 tokens match", "token=bare");
  });

  test("openKey() and readCertificates() log in for a certificate that is private", async () => {
    await using signer = await open("pkcs11:token=hidden;id=%01");
    assertEquals(signer.certificates.map(nameOf), ["CN=web"]);
    const [certificate] = await read(`pkcs11:token=hidden;object=web?pin-value=${PIN}`);
    assertEquals(nameOf(certificate), "CN=web");
  });

  test("listCertificates() warns when private certificates require a PIN", async () => {
    const asked = context({});
    assertEquals(await fresh.listCertificates(parseUri("pkcs11:token=hidden"), asked), []);
    assertStringIncludes(asked.messages.join(), "require a login");
    assertEquals((await list(`pkcs11:token=hidden?pin-value=${PIN}`)).length, 1);
  });

  test("listCertificates() returns URIs that select exactly the same certificate", async () => {
    const all = [
      ...await list("pkcs11:token=first"),
      ...await list("pkcs11:token=second"),
      ...await list(`pkcs11:token=hidden?pin-value=${PIN}`),
    ];
    assertEquals(all.length, 15);
    for (const { certificate, uri = "" } of all) {
      assertEquals(uri.includes(PIN), false);
      const pin = uri.includes("token=hidden") ? `?pin-value=${PIN}` : "";
      const again = await list(`${uri}${pin}`);
      assertEquals(again.map((item) => item.uri), [uri]);
      assertEquals(again[0]?.certificate.encoded, certificate.encoded);
      const [read] = await keystore.readCertificates(parseUri(`${uri}${pin}`), context({}));
      assertEquals(read.encoded, certificate.encoded);
    }
  });

  test("listCertificates() returns all of a token's many certificates", async () => {
    const labels = (await list("pkcs11:token=crowded")).map(({ uri }) =>
      /copy%20\d+/.exec(uri ?? "")?.[0]
    );
    assertEquals(new Set(labels).size, CROWD);
  });

  test("listCertificates() has a stable order, and returns an empty list when nothing matches", async () => {
    const names = (listed: Awaited<ReturnType<typeof list>>) => listed.map(({ uri }) => uri);
    assertEquals(names(await list("pkcs11:token=first")), names(await list("pkcs11:token=first")));
    for (
      const uri of [
        "token=none",
        "token=",
        "object=web;id=%02",
        "type=private",
        "serial=0",
        "object=",
      ]
    ) {
      assertEquals(await list(`pkcs11:${uri}`), []);
    }
  });

  test("readCertificates() throws key-not-found when nothing matches", async () => {
    await expectError(read("pkcs11:token=none"), "no token matches");
    await expectError(
      read("pkcs11:token=first;object=nowhere?pin-value=" + PIN),
      'no certificate matches in token "first"',
    );
    await expectError(
      open("pkcs11:token=first;object=nowhere"),
      'no certificate or private key matches in token "first"',
    );
  });

  test("an error for an id without percent-encoding has a hint", async () => {
    const hints: [string, string][] = [
      ["id=ab01", "; an id is written as %ab%01"],
      ["id=7", "; an id is written as %01"],
      ["object=nowhere;id=mykey", "; an id is written as %01"],
      ["id=%99", "check object, id and type in the URI"],
      ["object=nowhere", "check object, id and type in the URI"],
    ];
    for (const [attributes, hint] of hints) {
      const failed = open(`pkcs11:token=first;${attributes}`);
      const { message } = await assertRejects(() => failed, HelperError);
      assertEquals(message.slice(-hint.length), hint);
    }
  });

  test("every path attribute narrows the search", async () => {
    const [listed] = await list("pkcs11:token=second;id=%07");
    const [model, manufacturer, serial] =
      /model=(.*?);manufacturer=(.*?);serial=(.*?);/.exec(listed?.uri ?? "")?.slice(1) ?? [];
    const right = {
      model,
      manufacturer,
      serial,
      token: "second",
      object: "twice",
      id: "%07",
      type: "cert",
    };
    const uri = (attributes: Record<string, string | undefined>) =>
      `pkcs11:${Object.entries(attributes).map(([key, value]) => `${key}=${value}`).join(";")}`;
    assertEquals((await list(uri(right))).length, 2);
    for (const key of Object.keys(right)) {
      const wrong = key === "type" ? "private" : "wrong";
      assertEquals(await list(uri({ ...right, [key]: wrong })), []);
    }
  });

  if (name === "p11-kit's proxy") continue; // it uses its own names for slots and itself

  test("slots and libraries are found by their attributes", async () => {
    const there = async (attributes: string) =>
      (await list(`pkcs11:token=second;${attributes}`)).length > 0;
    assertEquals(
      await there(
        "library-manufacturer=SoftHSM;library-description=Implementation%20of%20PKCS11;library-version=2.6",
      ),
      true,
    );
    assertEquals(await there("slot-manufacturer=SoftHSM%20project"), true);
    for (
      const wrong of [
        "library-version=2.5",
        "library-version=3",
        "library-description=x",
        "slot-manufacturer=x",
        "slot-description=x",
        "slot-id=4294967295",
      ]
    ) {
      assertEquals(await there(wrong), false, wrong);
    }
  });

  test("slot-id names the slot, 0 too", async () => {
    const slots = layout.ulong.size === 4
      ? ["0", "1", "2", "3", "4"]
      : [first, second, bare, hidden, crowded].map(({ slot }) => slot);
    let found = 0;
    for (const slot of slots) found += (await list(`pkcs11:slot-id=${slot};object=twice`)).length;
    assertEquals(found, 2);
  });
}
