import { assertEquals } from "@std/assert";

import { type Certificate, parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { endEntityOf, hasPublicKey, mayHaveIssued, orderChain } from "../../src/x509/chain.ts";
import { formatName } from "../../src/x509/name.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { derOf, selfSigned } from "./test_certificates.ts";

const read = ({ certificatePem }: { certificatePem: string }) =>
  parseCertificate(derOf(certificatePem));

/** A path of four certificates, the leaf's issuer once more under another key, and a stranger. */
async function makePath() {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const upper = await issueCertificate(root, { subject: "/CN=Upper", ca: true });
  const lower = await issueCertificate(upper, { subject: "/CN=Lower", ca: true });
  const leaf = await issueCertificate(lower, { subject: "/CN=Leaf" });
  const crossSigned = await issueCertificate(root, {
    subject: "/CN=Lower",
    ca: true,
    keyPath: lower.keyPath,
  });
  const otherKey = await issueCertificate(root, { subject: "/CN=Lower", ca: true });
  const stranger = await createAuthority(directory, { subject: "/CN=Stranger" });
  return {
    root: read(root),
    upper: read(upper),
    lower: read(lower),
    leaf: read(leaf),
    crossSigned: read(crossSigned),
    otherKey: read(otherKey),
    stranger: read(stranger),
  };
}

const { root, upper, lower, leaf, crossSigned, otherKey, stranger } = await makePath();

const assertOrder = (actual: readonly Certificate[], expected: readonly Certificate[]) => {
  const names = (list: readonly Certificate[]) =>
    list.map(({ subject, serialNumber }) => `${formatName(subject)} ${serialNumber}`);
  assertEquals(names(actual), names(expected));
};

Deno.test("mayHaveIssued() is true for the issuer and false for all others", () => {
  assertEquals(mayHaveIssued(lower, leaf), true);
  assertEquals(mayHaveIssued(root, root), true);
  assertEquals(mayHaveIssued(upper, leaf), false);
  assertEquals(mayHaveIssued(leaf, lower), false);
});

Deno.test("mayHaveIssued() is false when the name fits and the key identifier does not", () => {
  assertEquals(mayHaveIssued(otherKey, leaf), false);
  assertEquals(mayHaveIssued(crossSigned, leaf), true);
});

Deno.test("mayHaveIssued() goes by the name alone when a key identifier is missing", () => {
  const { subjectKeyIdentifier: _, ...without } = otherKey;
  assertEquals(mayHaveIssued(without, leaf), true);
});

Deno.test("endEntityOf() gives the certificate of the key when one has it", () => {
  assertEquals(endEntityOf([leaf, lower, upper], publicKeyOf(upper)), upper);
});

Deno.test("endEntityOf() gives the only leaf, wherever it stands, when no key is known", () => {
  assertEquals(endEntityOf([leaf, lower, root]), leaf);
  assertEquals(endEntityOf([root, leaf, lower]), leaf);
  assertEquals(endEntityOf([root, upper, lower, leaf], publicKeyOf(stranger)), leaf);
});

Deno.test("endEntityOf() gives the first when none or several can be the leaf", async () => {
  const another = parseCertificate(
    await selfSigned("-subj", "/CN=another", "-addext", "basicConstraints=critical,CA:FALSE"),
  );
  assertEquals(endEntityOf([root]), root);
  assertEquals(endEntityOf([lower, root]), lower);
  assertEquals(endEntityOf([root, leaf, another]), root);
});

Deno.test("hasPublicKey() compares keys and is false when the kind cannot be used", async () => {
  const ed25519 = parseCertificate(await selfSigned("-newkey", "ed25519"));
  assertEquals(hasPublicKey(leaf, publicKeyOf(leaf)), true);
  assertEquals(hasPublicKey(leaf, publicKeyOf(lower)), false);
  assertEquals(hasPublicKey(ed25519, publicKeyOf(leaf)), false);
  assertEquals(hasPublicKey(crossSigned, publicKeyOf(lower)), true);
});

const ORDERED: Record<string, { found: Certificate[]; chain: Certificate[] }> = {
  "there is none": { found: [], chain: [] },
  "it is in order": { found: [lower, upper, root], chain: [lower, upper, root] },
  "it is in reverse": { found: [root, upper, lower], chain: [lower, upper, root] },
  "it is shuffled": { found: [upper, root, lower], chain: [lower, upper, root] },
  "the end entity stands first": { found: [leaf, lower, upper], chain: [lower, upper] },
  "the end entity stands within": { found: [upper, leaf, lower], chain: [lower, upper] },
  "it is the end entity alone": { found: [leaf], chain: [] },
  "certificates stand twice": {
    found: [upper, lower, upper, leaf, lower, leaf],
    chain: [lower, upper],
  },
  "the root is left out": { found: [upper, lower], chain: [lower, upper] },
};

for (const [when, { found, chain }] of Object.entries(ORDERED)) {
  Deno.test(`orderChain() gives the path without the end entity when ${when}`, () => {
    assertOrder(orderChain(leaf, found), chain);
  });
}

const LEFT_AS_GIVEN: Record<string, Certificate[]> = {
  "two can be the issuer": [upper, crossSigned, lower],
  "one belongs elsewhere": [upper, stranger, lower],
  "one in the middle is missing": [root, lower],
  "none is the issuer": [stranger, root],
};

for (const [when, found] of Object.entries(LEFT_AS_GIVEN)) {
  Deno.test(`orderChain() leaves the order as given when ${when}`, () => {
    assertOrder(orderChain(leaf, found), found);
  });
}

Deno.test("orderChain() ends when issuers have issued each other", () => {
  const first = { ...lower, issuer: upper.subject, encoded: Uint8Array.of(1) };
  const second = { ...upper, issuer: lower.subject, encoded: Uint8Array.of(2) };
  assertOrder(orderChain(leaf, [second, first]), [first, second]);
  assertOrder(orderChain(leaf, [second, first, stranger]), [second, first, stranger]);
});
