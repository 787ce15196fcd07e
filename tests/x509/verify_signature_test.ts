import { Buffer } from "node:buffer";

import { assertEquals } from "@std/assert";

import { parseCertificate, publicKeyOf } from "../../src/x509/certificate.ts";
import { verifySignature } from "../../src/x509/verify_signature.ts";
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  issueCertificate,
  RSA_8192_KEY_PATH,
} from "../support/certificates.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { openssl } from "../support/openssl.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { derOf } from "./test_certificates.ts";

const MESSAGE = new TextEncoder().encode("message");
const DIGESTS = ["SHA-256", "SHA-384", "SHA-512"] as const;

const keyOf = ({ certificatePem }: Pick<Authority, "certificatePem">) =>
  publicKeyOf(parseCertificate(derOf(certificatePem)));

const KEYS: Readonly<Record<string, Pick<CertificateRequest, "keyType" | "keyPath">>> = {
  "rsa-1024": { keyType: "rsa-1024" },
  "rsa-2048": { keyType: "rsa-2048" },
  "rsa-4096": { keyType: "rsa-4096" },
  "rsa-8192": { keyPath: RSA_8192_KEY_PATH },
  "ec-p256": { keyType: "ec-p256" },
  "ec-p384": { keyType: "ec-p384" },
  "ec-p521": { keyType: "ec-p521" },
};

for (const [name, request] of Object.entries(KEYS)) {
  Deno.test(`verifySignature() takes what openssl signs with ${name}, and nothing else`, async () => {
    using directory = new TemporaryDirectory();
    const authority = await createAuthority(directory, { subject: "/CN=a", ...request });
    const { keyType = "rsa-2048" } = request;
    const other = await issueCertificate(authority, { subject: "/CN=b", keyType });
    for (const digest of DIGESTS) {
      const name = digest.toLowerCase().replace("-", "");
      const signature = await openssl(["dgst", `-${name}`, "-sign", authority.keyPath], {
        stdin: MESSAGE,
      });
      const publicKey = keyOf(authority);
      const verify = (bytes: Uint8Array) => verifySignature(publicKey, MESSAGE, digest, bytes);
      assertEquals(await verify(signature), true);
      assertEquals(await verify(Buffer.from(signature)), true);
      assertEquals(await verify(signature.subarray(1)), false);
      assertEquals(await verify(new Uint8Array(signature.length)), false);
      assertEquals(await verify(new Uint8Array()), false);
      assertEquals(await verify(new Uint8Array(signature.length).fill(0xff)), false);
      assertEquals(await verify(signature.with(-1, (signature.at(-1) ?? 0) ^ 1)), false);
      assertEquals(await verify(Uint8Array.of(0, ...signature)), false);
      assertEquals(await verifySignature(keyOf(other), MESSAGE, digest, signature), false);
      assertEquals(await verifySignature(publicKey, new Uint8Array(), digest, signature), false);
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
