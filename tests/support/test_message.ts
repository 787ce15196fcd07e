import { Buffer } from "node:buffer";
import { createHash, createPublicKey, type KeyObject } from "node:crypto";

const FIXED = "AWS Roles Anywhere Credential Helper Signing Test1";

/** Returns the message that sign-string signs for a public key, from its documentation only. */
export function testMessage(publicKeyPem: string): Uint8Array {
  const key = createPublicKey(publicKeyPem);
  const bits = key.asymmetricKeyType === "rsa"
    ? key.export({ type: "pkcs1", format: "der" })
    : uncompressedPoint(key);
  const hash = createHash("sha256").update("IAM RA").update(new Uint8Array(bits)).digest();
  return new Uint8Array([...new TextEncoder().encode(FIXED), ...hash]);
}

/** Returns the uncompressed point of an elliptic curve's key: 4, x, y (SEC 1, 2.3.3). */
function uncompressedPoint(key: KeyObject): Uint8Array {
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return new Uint8Array([4, ...Buffer.from(x, "base64url"), ...Buffer.from(y, "base64url")]);
}
