import { createHash, createPublicKey } from "node:crypto";

const FIXED = "AWS Roles Anywhere Credential Helper Signing Test1";

/** Returns the message that sign-string signs for a public key, from its documentation only. */
export function testMessage(publicKeyPem: string): Uint8Array {
  const key = createPublicKey(publicKeyPem);
  const bits = key.asymmetricKeyType === "rsa"
    ? key.export({ type: "pkcs1", format: "der" })
    : uncompressedPoint(key.export({ type: "spki", format: "der" }));
  const hash = createHash("sha256").update("IAM RA").update(new Uint8Array(bits)).digest();
  return new Uint8Array([...new TextEncoder().encode(FIXED), ...hash]);
}

/** A SubjectPublicKeyInfo of a named curve ends with the point: 4, x, y. */
function uncompressedPoint(info: Uint8Array): Uint8Array {
  const length = [65, 97, 133].find((size) =>
    info[info.length - size] === 4 && info[info.length - size - 1] === 0
  );
  if (length === undefined) throw new Error("no point of a known curve in the public key");
  return info.subarray(-length);
}
