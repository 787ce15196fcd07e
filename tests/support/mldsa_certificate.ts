import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

import { type Authority, type CertificateFiles, issueCertificate } from "./certificates.ts";
import { readElements, readOnly, writeElement } from "./der.ts";
import { openssl } from "./openssl.ts";

/** The last octet of each parameter set's OBJECT IDENTIFIER 2.16.840.1.101.3.4.3.x (RFC 9881). */
const IDENTIFIER_OCTET = { 44: 17, 65: 18, 87: 19 } as const;

/** An ML-DSA parameter set. */
export type MldsaLevel = keyof typeof IDENTIFIER_OCTET;

/** An ML-DSA certificate with its key, which only `sign` needs to know how to use. */
export interface MldsaCertificate extends CertificateFiles {
  /** Signs the message itself by ML-DSA with an empty context (FIPS 204). */
  sign(message: Uint8Array): Uint8Array;
}

/**
 * Makes an end-entity certificate for a new ML-DSA key, signed by an RSA or EC authority. The key
 * file is PKCS#8 in its seed form (RFC 9881).
 *
 * OpenSSL 3.0 has no ML-DSA: it issues a certificate for another key. The ML-DSA public key then
 * replaces that key, and OpenSSL signs the result again.
 */
export async function issueMldsaCertificate(
  authority: Authority,
  request: { readonly subject: string; readonly level: MldsaLevel },
): Promise<MldsaCertificate> {
  const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import("@noble/post-quantum/ml-dsa.js");
  const scheme = { 44: ml_dsa44, 65: ml_dsa65, 87: ml_dsa87 }[request.level];
  const seed = randomBytes(32);
  const { publicKey, secretKey } = scheme.keygen(seed);
  const octets = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, IDENTIFIER_OCTET[request.level]];
  const algorithm = writeElement(0x30, writeElement(0x06, Uint8Array.from(octets)));
  const publicKeyInfo = writeElement(
    0x30,
    algorithm,
    writeElement(0x03, Uint8Array.of(0), publicKey),
  );
  const privateKeyInfo = writeElement(
    0x30,
    writeElement(0x02, Uint8Array.of(0)),
    algorithm,
    writeElement(0x04, writeElement(0x80, seed)),
  );

  const files = await issueCertificate(authority, { subject: request.subject });
  const certificatePem = pem(
    "CERTIFICATE",
    await replacePublicKey(derOfPem(files.certificatePem), publicKeyInfo, authority.keyPath),
  );
  const keyPem = pem("PRIVATE KEY", privateKeyInfo);
  const certificatePath = join(files.certificatePath, "..", "mldsa-certificate.pem");
  const keyPath = join(files.keyPath, "..", "mldsa-key.pem");
  await Deno.writeTextFile(certificatePath, certificatePem);
  await Deno.writeTextFile(keyPath, keyPem, { mode: 0o600 });
  return {
    certificatePath,
    keyPath,
    certificatePem,
    keyPem,
    sign: (message) => scheme.sign(message, secretKey),
  };
}

async function replacePublicKey(
  certificate: Uint8Array<ArrayBuffer>,
  publicKeyInfo: Uint8Array,
  issuerKeyPath: string,
): Promise<Uint8Array> {
  const [toBeSigned, algorithm] = readElements(readOnly(certificate, 0x30).contents);
  if (toBeSigned === undefined || algorithm === undefined) throw new Error("not a certificate");
  // version, serial number, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions
  const fields = readElements(toBeSigned.contents).map((field) => field.encoded);
  fields[6] = Uint8Array.from(publicKeyInfo);
  const changed = writeElement(0x30, ...fields);
  const signature = await openssl(["dgst", "-sha256", "-sign", issuerKeyPath], { stdin: changed });
  return writeElement(
    0x30,
    changed,
    algorithm.encoded,
    writeElement(0x03, Uint8Array.of(0), signature),
  );
}

function derOfPem(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text.replaceAll(/-----[^-]+-----/g, ""), "base64"));
}

function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
