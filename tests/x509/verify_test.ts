import { assertEquals } from "@std/assert";

import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import {
  type Authority,
  createAuthority,
  issueCertificate,
  type KeyType,
} from "../support/certificates.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { derOf } from "./test_certificates.ts";

const MESSAGE = new TextEncoder().encode("message");
const DIGESTS = ["SHA-256", "SHA-384", "SHA-512"] as const;

const keyOf = ({ certificatePem }: Pick<Authority, "certificatePem">) =>
  publicKeyOf(parseCertificate(derOf(certificatePem)));

for (const keyType of ["rsa-2048", "rsa-1024", "ec-p256", "ec-p384", "ec-p521"] as KeyType[]) {
  Deno.test(`verifySignature() takes what openssl signs with ${keyType}, and nothing else`, async () => {
    using directory = new TemporaryDirectory();
    const authority = await createAuthority(directory, { subject: "/CN=a", keyType });
    const other = await issueCertificate(authority, { subject: "/CN=b", keyType });
    for (const digest of DIGESTS) {
      const name = digest.toLowerCase().replace("-", "");
      const signature = await openssl(["dgst", `-${name}`, "-sign", authority.keyPath], {
        stdin: MESSAGE,
      });
      const key = keyOf(authority);
      const verify = (bytes: Uint8Array) => verifySignature(key, MESSAGE, digest, bytes);
      assertEquals(await verify(signature), true);
      assertEquals(await verify(signature.subarray(1)), false);
      assertEquals(await verify(new Uint8Array(signature.length)), false);
      assertEquals(await verify(new Uint8Array()), false);
      assertEquals(await verifySignature(keyOf(other), MESSAGE, digest, signature), false);
      assertEquals(await verifySignature(key, new Uint8Array(), digest, signature), false);
    }
  });
}

Deno.test("verifySignature() takes what an ML-DSA key signs, and nothing else", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=a" });
  const identity = await issueMldsaCertificate(authority, { subject: "/CN=b", level: 44 });
  const signature = identity.sign(MESSAGE);
  const verify = (bytes: Uint8Array) => verifySignature(keyOf(identity), MESSAGE, "SHA-256", bytes);
  assertEquals(await verify(signature), true);
  signature[0] = (signature[0] ?? 0) ^ 1;
  assertEquals([await verify(signature), await verify(new Uint8Array(3))], [false, false]);
});
