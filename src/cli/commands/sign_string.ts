/**
 * `sign-string`: signs a fixed message, to test a key.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { HelperError } from "../../errors.ts";
import { openSigner } from "../../keystore/open_identity.ts";
import { SIGNING_ALGORITHMS } from "../../rolesanywhere/algorithms.ts";
import type { PublicKey } from "../../x509/public_key.ts";
import type { Digest } from "../../x509/verify_signature.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext, readIdentitySource } from "../keystore_context.ts";
import type { System } from "../system.ts";

const DIGESTS: Readonly<Record<string, Digest>> = {
  SHA256: "SHA-256",
  SHA384: "SHA-384",
  SHA512: "SHA-512",
};

/** Functions that format the output, by `--format`. */
const FORMATS: Readonly<Record<string, (signature: Uint8Array) => string | Uint8Array>> = {
  json: (signature) => `${JSON.stringify(encodeHex(signature))}\n`,
  text: (signature) => `${encodeHex(signature)}\n`,
  bin: (signature) => signature,
};

/** Signs the test message and prints the signature. */
export async function signString(values: FlagValues, system: System): Promise<void> {
  const digest = DIGESTS[values.required("digest")];
  const format = FORMATS[values.required("format")];
  if (!digest || !format) throw new HelperError("internal", "a flag's choice has no meaning");
  await using signer = await openSigner(
    await readIdentitySource(values, system.platform),
    system.registry,
    createKeystoreContext(values, system),
  );
  const message = await testMessage(signer.publicKey);
  system.write(format(await signer.sign(message, digest)));
}

/**
 * Returns the message: `AWS Roles Anywhere Credential Helper Signing Test` || `1` || SHA-256(`IAM
 * RA` || public key). The public key is an uncompressed EC point or a PKCS#1 RSAPublicKey. For
 * ML-DSA the message ends after `1`.
 */
export async function testMessage(publicKey: PublicKey): Promise<Uint8Array> {
  const fixed = new TextEncoder().encode("AWS Roles Anywhere Credential Helper Signing Test1");
  if (!SIGNING_ALGORITHMS[publicKey.keyType].testMessageHasPublicKey) return fixed;
  const hashed = new Uint8Array([...new TextEncoder().encode("IAM RA"), ...publicKey.bits]);
  const hash = await crypto.subtle.digest("SHA-256", hashed);
  return new Uint8Array([...fixed, ...new Uint8Array(hash)]);
}
