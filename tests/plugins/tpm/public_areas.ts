import { ALGORITHM } from "../../../plugins/tpm/structures/algorithms.ts";
import { ATTRIBUTE } from "../../../plugins/tpm/structures/public_area.ts";
import { EMPTY, tpm2b, u16, u32, wire } from "../../../plugins/tpm/structures/wire.ts";

/** Contents of a test's public area; default: an unrestricted signing key. */
export interface AreaRequest {
  readonly attributes?: number;
  readonly policy?: Uint8Array;
  /** Default: null. */
  readonly scheme?: Uint8Array;
  /** TPM_ECC_CURVE; default: P-256. For an RSA key set `rsaBits`. */
  readonly curve?: number;
  readonly rsaBits?: number;
  readonly unique?: readonly Uint8Array[];
}

/** A valid P-256 point: the base point of the curve (FIPS 186, SEC 2). */
export const POINT = [
  "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
  "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
].map((hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16)));

/** Encodes a TPM2B_PUBLIC. */
export function encodePublicArea(request: AreaRequest = {}): Uint8Array<ArrayBuffer> {
  const { rsaBits, curve = 3, scheme = u16(ALGORITHM.null), policy } = request;
  const attributes = request.attributes ?? (ATTRIBUTE.sign | ATTRIBUTE.userWithAuth);
  const unique = request.unique ?? (rsaBits ? [new Uint8Array(rsaBits / 8).fill(0x81)] : POINT);
  return tpm2b(wire(
    u16(rsaBits ? ALGORITHM.rsa : ALGORITHM.ecc),
    u16(0x000b),
    u32(attributes),
    policy ? tpm2b(policy) : EMPTY,
    u16(ALGORITHM.null),
    scheme,
    ...(rsaBits ? [u16(rsaBits), u32(0)] : [u16(curve), u16(ALGORITHM.null)]),
    ...unique.map(tpm2b),
  ));
}
