import { assertEquals } from "@std/assert";

import { type Certificate, parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import {
  hasPublicKey,
  mayHaveIssued,
  selectEndEntity,
  selectPreferred,
} from "../../src/x509/chain.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { issuePath, read, selfSigned } from "./test_certificates.ts";

/** Makes a path of four certificates, the leaf's issuer with another key, and a stranger. */
async function makePath() {
  using directory = new TemporaryDirectory();
  const { root, upper, lower, leaf } = await issuePath(directory);
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

const now = new Date();

const { root, upper, lower, leaf, crossSigned, otherKey, stranger } = await makePath();

Deno.test("mayHaveIssued() is true for the issuer and false for all others", () => {
  assertEquals(mayHaveIssued(lower, leaf), true);
  assertEquals(mayHaveIssued(root, root), true);
  assertEquals(mayHaveIssued(upper, leaf), false);
  assertEquals(mayHaveIssued(leaf, lower), false);
});

Deno.test("mayHaveIssued() is false when the name matches and the key identifier does not", () => {
  assertEquals(mayHaveIssued(otherKey, leaf), false);
  assertEquals(mayHaveIssued(crossSigned, leaf), true);
});

Deno.test("mayHaveIssued() compares only the name when a key identifier is missing", () => {
  const { subjectKeyIdentifier: _, ...without } = otherKey;
  assertEquals(mayHaveIssued(without, leaf), true);
});

Deno.test("selectEndEntity() returns the certificate of the key when one has it", () => {
  assertEquals(selectEndEntity([leaf, lower, upper], now, publicKeyOf(upper)), upper);
});

Deno.test("selectEndEntity() returns the only leaf, at any position, when no key is known", () => {
  assertEquals(selectEndEntity([leaf, lower, root], now), leaf);
  assertEquals(selectEndEntity([root, leaf, lower], now), leaf);
  assertEquals(selectEndEntity([root, upper, lower, leaf], now, publicKeyOf(stranger)), leaf);
});

Deno.test("selectEndEntity() returns the first when none or several can be the leaf", async () => {
  const another = parseCertificate(
    await selfSigned("-subj", "/CN=another", "-addext", "basicConstraints=critical,CA:FALSE"),
  );
  assertEquals(selectEndEntity([root], now), root);
  assertEquals(selectEndEntity([lower, root], now), lower);
  assertEquals(selectEndEntity([root, leaf, another], now), root);
});

Deno.test("hasPublicKey() compares keys and is false when the type cannot be used", async () => {
  const ed25519 = parseCertificate(await selfSigned("-newkey", "ed25519"));
  assertEquals(hasPublicKey(leaf, publicKeyOf(leaf)), true);
  assertEquals(hasPublicKey(leaf, publicKeyOf(lower)), false);
  assertEquals(hasPublicKey(ed25519, publicKeyOf(leaf)), false);
  assertEquals(hasPublicKey(crossSigned, publicKeyOf(lower)), true);
});

const DAY = 24 * 3_600_000;
const later = (days: number) => new Date(now.getTime() + days * DAY);

/** Returns the same certificate with another validity, in days from now. */
const renewed = (from: number, to: number): Certificate => ({
  ...leaf,
  encoded: Uint8Array.of(from, to),
  notBefore: later(from),
  notAfter: later(to),
});

Deno.test("selectPreferred() returns the one that is valid now and expires last", () => {
  const [expired, valid, longer, future] = [
    renewed(-90, -1),
    renewed(-30, 30),
    renewed(-1, 90),
    renewed(1, 300),
  ];
  for (const order of [[expired, valid, longer, future], [future, longer, valid, expired]]) {
    assertEquals(selectPreferred(order, now), longer);
    assertEquals(selectEndEntity([lower, ...order], now, publicKeyOf(leaf)), longer);
    assertEquals(selectEndEntity([lower, ...order], now), longer);
  }
  assertEquals(selectPreferred([expired, future], now), future);
  assertEquals(selectPreferred([renewed(-90, -60), expired], now), expired);
  assertEquals(selectPreferred([], now), undefined);
});
