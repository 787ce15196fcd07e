/**
 * Templates of the primary keys that TSS2 files refer to by their hierarchy. They are templates H-1
 * and H-2 of the TCG EK Credential Profile: storage keys with an empty unique field.
 *
 * @module
 */
import { ALGORITHM, DIGEST_HASHES } from "./algorithms.ts";
import { EMPTY, tpm2b, u16, u32, wire } from "./wire.ts";

/**
 * fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt: a storage
 * key that cannot leave the TPM.
 */
const STORAGE_KEY = 0x0003_0472;
const P256 = 0x0003;
const NO_SCHEME = u16(ALGORITHM.null);

const storageTemplate = (type: number, ...parameters: Uint8Array[]) =>
  tpm2b(wire(
    u16(type),
    u16(DIGEST_HASHES["SHA-256"].algorithm),
    u32(STORAGE_KEY),
    EMPTY, // no policy
    u16(ALGORITHM.aes),
    u16(128),
    u16(ALGORITHM.cfb),
    NO_SCHEME,
    ...parameters,
  ));

/** Template H-2: P-256. */
export const EC_PARENT = storageTemplate(
  ALGORITHM.ecc,
  u16(P256),
  NO_SCHEME, // key derivation
  EMPTY,
  EMPTY,
);

/** Template H-1: RSA-2048, public exponent 65537. */
export const RSA_PARENT = storageTemplate(ALGORITHM.rsa, u16(2048), u32(0), EMPTY);
