import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import {
  type IdentitySource,
  MAX_CHAIN_LENGTH,
  openIdentity,
  openSigner,
  readCertificates,
} from "../../src/keystore/open_identity.ts";
import type { KeystoreContext, Signer } from "../../src/keystore/types.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { type Certificate, parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { type Authority, createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { derOf } from "../x509/test_certificates.ts";
import { FakeKeystore } from "./fake_keystore.ts";
import { NO_CONTEXT } from "../support/scripted_context.ts";
import { refusal } from "../support/refusal.ts";

const read = ({ certificatePem }: Authority) => parseCertificate(derOf(certificatePem));

/** Makes a leaf, another leaf, and issuers upwards from the leaf's. */
async function makeCertificates() {
  using directory = new TemporaryDirectory();
  let authority = await createAuthority(directory, { subject: "/CN=Root" });
  const issuers = [read(authority)];
  for (let i = 1; i <= MAX_CHAIN_LENGTH; i++) {
    authority = await issueCertificate(authority, { subject: `/CN=Issuer ${i}`, ca: true });
    issuers.unshift(read(authority));
  }
  return {
    issuers,
    leaf: read(await issueCertificate(authority, { subject: "/CN=Leaf" })),
    other: read(await issueCertificate(authority, { subject: "/CN=Other" })),
  };
}

const { issuers, leaf, other } = await makeCertificates();
const leafKey = publicKeyOf(leaf);

const source = (texts: Partial<Record<keyof IdentitySource, string>>): IdentitySource =>
  Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, parseKeystoreUri(text, `--${name}`)]),
  );

const open = (keystore: FakeKeystore, texts: Parameters<typeof source>[0]) =>
  openIdentity(source(texts), keystore.registry, NO_CONTEXT);

Deno.test("openIdentity() pairs a certificate and a key from two places", async () => {
  const keystore = new FakeKeystore({
    "leaf.pem": { certificates: [leaf] },
    "leaf.key": { publicKey: leafKey },
  });
  {
    await using identity = await open(keystore, {
      certificate: "leaf.pem",
      privateKey: "leaf.key",
    });
    assertEquals([identity.certificate, identity.chain], [leaf, []]);
    assertEquals(identity.signer.publicKey, leafKey);
    assertEquals(keystore.open, 1);
  }
  assertEquals(keystore.open, 0);
  assertEquals(keystore.certificate, [leaf]);
});

Deno.test("openIdentity() finds the key in the certificate's file when no key is named", async () => {
  const keystore = new FakeKeystore({
    "both.pem": { publicKey: leafKey, certificates: [leaf, ...issuers.slice(0, 2)] },
  });
  await using identity = await open(keystore, { certificate: "both.pem" });
  assertEquals([identity.certificate, identity.chain], [leaf, issuers.slice(0, 2)]);
});

Deno.test("openIdentity() takes the certificate of the key when there are several", async () => {
  const keystore = new FakeKeystore({
    "all.pem": { certificates: [other, issuers[0] ?? other, leaf] },
    "leaf.key": { publicKey: leafKey },
  });
  await using identity = await open(keystore, { certificate: "all.pem", privateKey: "leaf.key" });
  assertEquals(identity.certificate, leaf);
});

Deno.test("openIdentity() adds the intermediates after the certificates of the certificate's file", async () => {
  const [first = leaf, second = leaf, third = leaf] = issuers;
  const keystore = new FakeKeystore({
    "chain.pem": { certificates: [leaf, first] },
    "leaf.key": { publicKey: leafKey },
    "more.pem": { certificates: [third, leaf, second, first] },
  });
  await using identity = await open(keystore, {
    certificate: "chain.pem",
    privateKey: "leaf.key",
    intermediates: "more.pem",
  });
  assertEquals(identity.chain, [first, second, third]);
});

Deno.test("openIdentity() throws key-mismatch and closes the key when they are not a pair", async () => {
  const keystore = new FakeKeystore({
    "other.pem": { certificates: [other] },
    "leaf.key": { publicKey: leafKey },
    "wrong.p12": { publicKey: leafKey, certificates: [other, ...issuers] },
  });
  const words = await refusal(
    () => open(keystore, { certificate: "other.pem", privateKey: "leaf.key" }),
    "key-mismatch",
  );
  assertStringIncludes(words, "leaf.key");
  assertStringIncludes(words, "other.pem");
  await refusal(() => open(keystore, { certificate: "wrong.p12" }), "key-mismatch");
  await refusal(() => open(keystore, { privateKey: "wrong.p12" }), "key-mismatch");
  assertEquals(keystore.open, 0);
});

Deno.test("openIdentity() names the flag for a certificate that is not in its source", async () => {
  const keystore = new FakeKeystore({
    "leaf.key": { publicKey: leafKey },
    "handle:0x81000001": { publicKey: leafKey },
  });
  const both = "; name the certificate's file with --certificate, and the key with --private-key";
  const cases: [Parameters<typeof source>[0], string][] = [
    [{ privateKey: "leaf.key" }, "leaf.key: no certificate found; name one with --certificate"],
    [{ certificate: "leaf.key" }, `leaf.key: no certificate found${both}`],
    [
      { certificate: "handle:0x81000001" },
      `handle:0x81000001: a TPM handle has no certificate${both}`,
    ],
  ];
  for (const [texts, message] of cases) {
    assertEquals(await refusal(() => open(keystore, texts), "key-not-found"), message);
  }
  const certificate = { ...parseKeystoreUri("leaf.key", "A"), source: "A" };
  assertEquals(
    await refusal(
      () => openIdentity({ certificate }, keystore.registry, NO_CONTEXT),
      "key-not-found",
    ),
    `A: leaf.key: no certificate found${both}`,
  );
});

Deno.test("openIdentity() throws key-not-found and closes the key when no certificate is there", async () => {
  const keystore = new FakeKeystore({ "leaf.key": { publicKey: leafKey } });
  await refusal(() => open(keystore, { privateKey: "leaf.key" }), "key-not-found");
  assertEquals([keystore.open, keystore.certificate.length], [0, 1]);
});

Deno.test("openIdentity() takes the longest chain and throws certificate-chain for one more", async () => {
  const keystore = new FakeKeystore({
    "longest.pem": {
      publicKey: leafKey,
      certificates: [leaf, ...issuers.slice(0, MAX_CHAIN_LENGTH)],
    },
    "longer.pem": { publicKey: leafKey, certificates: [leaf, ...issuers] },
  });
  {
    await using identity = await open(keystore, { certificate: "longest.pem" });
    assertEquals(identity.chain.length, MAX_CHAIN_LENGTH);
  }
  const words = await refusal(
    () => open(keystore, { certificate: "longer.pem" }),
    "certificate-chain",
  );
  assertStringIncludes(words, "longer.pem");
  assertEquals(keystore.open, 0);
});

Deno.test("openIdentity() opens no key when the intermediates cannot be read", async () => {
  const keystore = new FakeKeystore({ "both.pem": { publicKey: leafKey, certificates: [leaf] } });
  await assertRejects(
    () => open(keystore, { certificate: "both.pem", intermediates: "missing.pem" }),
    Error,
    "missing.pem",
  );
  assertEquals([keystore.open, keystore.certificate.length], [0, 0]);
});

Deno.test("openIdentity() throws usage when neither certificate nor key is named", async () => {
  await refusal(() => open(new FakeKeystore({}), {}), "usage");
});

Deno.test("openIdentity() asks the keystore that the key belongs to", async () => {
  const keystore = new FakeKeystore({
    "leaf.pem": { certificates: [leaf] },
    "tpm.pem": { target: "handle:0x81000001" },
    "handle:0x81000001": { publicKey: leafKey },
  });
  const asked: string[] = [];
  const registry = (scheme: string) => {
    asked.push(scheme);
    return Promise.resolve(keystore);
  };
  const named = source({ certificate: "leaf.pem", privateKey: "tpm.pem" });
  await using identity = await openIdentity(named, registry, NO_CONTEXT);
  assertEquals(identity.certificate, leaf);
  assertEquals(asked, ["file", "file", "handle"]);
  assertEquals(keystore.certificate, [leaf, leaf]);
});

Deno.test("openIdentity() takes the certificates from the source that named the other keystore's key", async () => {
  const keystore = new FakeKeystore({
    "all.pem": {
      target: "handle:0x81000001",
      certificates: [leaf, ...issuers.slice(0, 2)],
    },
    "handle:0x81000001": { publicKey: leafKey },
  });
  {
    await using identity = await open(keystore, { certificate: "all.pem" });
    assertEquals([identity.certificate, identity.chain], [leaf, issuers.slice(0, 2)]);
    assertEquals(keystore.certificate, [undefined, leaf]);
    assertEquals(keystore.open, 1);
  }
  assertEquals(keystore.open, 0);
});

Deno.test("openSigner() has a software key opened by the keystore of files", async () => {
  const softwareKey = Uint8Array.of(1, 2, 3);
  const tpm = new FakeKeystore({ "handle:0x81000001": { softwareKey } });
  const opened: unknown[] = [];
  const files = Object.assign(new FakeKeystore({ "key": { publicKey: leafKey } }), {
    openSoftwareKey(contents: Uint8Array, label: string, context: KeystoreContext) {
      opened.push(contents, label);
      return files.openKey(parseKeystoreUri("key", "--private-key"), context) as Promise<Signer>;
    },
  });
  const registry = (scheme: string) => Promise.resolve(scheme === "file" ? files : tpm);
  await using signer = await openSigner(
    source({ privateKey: "handle:0x81000001" }),
    registry,
    NO_CONTEXT,
  );
  assertEquals(signer.publicKey, leafKey);
  assertEquals(opened, [softwareKey, "handle:0x81000001"]);
});

Deno.test("openSigner() wipes a software key that nobody opens", async () => {
  const softwareKey = Uint8Array.of(1, 2, 3);
  const keystore = new FakeKeystore({ "handle:0x81000001": { softwareKey } });
  const named = source({ privateKey: "handle:0x81000001" });
  await refusal(() => openSigner(named, keystore.registry, NO_CONTEXT), "internal");
  assertEquals(softwareKey, new Uint8Array(3));
});

Deno.test("openSigner() opens a key that has no certificate", async () => {
  const keystore = new FakeKeystore({ "leaf.key": { publicKey: leafKey } });
  await using signer = await openSigner(
    source({ privateKey: "leaf.key" }),
    keystore.registry,
    NO_CONTEXT,
  );
  assertEquals(signer.publicKey, leafKey);
});

Deno.test("openSigner() throws key-mismatch when a certificate is named that is not the key's", async () => {
  const keystore = new FakeKeystore({
    "other.pem": { certificates: [other] },
    "leaf.key": { publicKey: leafKey },
  });
  const named = source({ certificate: "other.pem", privateKey: "leaf.key" });
  await refusal(() => openSigner(named, keystore.registry, NO_CONTEXT), "key-mismatch");
  assertEquals(keystore.open, 0);
});

Deno.test("readCertificates() returns all certificates in their order", async () => {
  const certificates: Certificate[] = [other, leaf];
  const keystore = new FakeKeystore({ "a.pem": { certificates } });
  const uri = parseKeystoreUri("a.pem", "--certificate");
  assertEquals([...await readCertificates(uri, keystore.registry, NO_CONTEXT)], certificates);
});
