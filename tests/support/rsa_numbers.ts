/**
 * RSA keys of chosen primes, which openssl does not make.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { encodeSequence, encodeUnsignedInteger } from "../../src/x509/der.ts";

/** Primes of these lengths in bits, and a product of two. */
export const PRIMES = {
  127: 2n ** 127n - 1n,
  521: 2n ** 521n - 1n,
  607: 2n ** 607n - 1n,
  1279: 2n ** 1279n - 1n,
  composite: (2n ** 89n - 1n) * (2n ** 521n - 1n),
};

/** Encodes an RSAPrivateKey whose numbers match if `p` and `q` are primes. */
export function encodeRsaKey(p: bigint, q: bigint, e = 65537n): Uint8Array<ArrayBuffer> {
  const d = inverse(e, (p - 1n) * (q - 1n));
  const numbers = [p * q, e, d, p, q, d % (p - 1n), d % (q - 1n), inverse(q, p)];
  return encodeSequence(
    encodeUnsignedInteger(new Uint8Array(1)),
    ...numbers.map((number) => {
      const hex = number.toString(16);
      return encodeUnsignedInteger(decodeHex(hex.padStart(hex.length + hex.length % 2, "0")));
    }),
  );
}

/** Returns the inverse of a number, by Euclid's algorithm. */
function inverse(number: bigint, modulus: bigint): bigint {
  let [r0, r1, t0, t1] = [modulus, number % modulus, 0n, 1n];
  while (r1 > 0n) [r0, r1, t0, t1] = [r1, r0 % r1, t1, t0 - r0 / r1 * t1];
  return (t0 % modulus + modulus) % modulus;
}
