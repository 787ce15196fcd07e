import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";

/** Magic numbers of `bcrypt.h`. */
const MAGIC: Readonly<Record<string, number>> = {
  "RSA": 0x32415352,
  "P-256": 0x32534345,
};

/** Encodes a private key for bcrypt.dll: BCRYPT_RSAPRIVATE_BLOB or _ECCPRIVATE_BLOB. */
export function bcryptBlob(keyPem: string): Uint8Array {
  const jwk = createPrivateKey(keyPem).export({ format: "jwk" });
  const part = (name: "n" | "e" | "p" | "q" | "x" | "y" | "d") =>
    Buffer.from(String(jwk[name]), "base64url");
  const magic = MAGIC[jwk.crv ?? jwk.kty ?? ""];
  if (magic === undefined) throw new Error(`wine's bcrypt has no ${jwk.crv ?? jwk.kty}`);
  const parts = jwk.kty === "RSA"
    ? [part("e"), part("n"), part("p"), part("q")]
    : [part("x"), part("y"), part("d")];
  const [exponent, modulus, ...primes] = parts.map(({ length }) => length);
  const header = jwk.kty === "RSA"
    ? [magic, 8 * (modulus ?? 0), exponent ?? 0, modulus ?? 0, ...primes]
    : [magic, exponent ?? 0];
  return Buffer.concat([new Uint8Array(Uint32Array.from(header).buffer), ...parts]);
}
