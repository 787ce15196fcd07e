/**
 * Signs with a TPM key, and unseals private keys.
 *
 * @module
 */
import type { Signer, SoftwareKey } from "../../../src/keystore/types.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import type { Digest } from "../../../src/x509/verify_signature.ts";
import type { Connection } from "../tss/connection.ts";
import { withErrorMessages } from "./errors.ts";
import { runWithKey, type TpmKey } from "./key.ts";
import { decodePublicKey, isSealedData } from "../structures/public_area.ts";
import { SESSION_ATTRIBUTE } from "../commands/sessions.ts";
import {
  checkCanSign,
  decodeSignature,
  planSignature,
  type SigningPlan,
} from "./signature_scheme.ts";
import type { TpmAccess } from "./transaction.ts";
import {
  hash as hashInTpm,
  sign as signInTpm,
  unseal as unsealInTpm,
} from "../commands/signing.ts";
import { EMPTY, tpm2b, u16, u32, wire } from "../structures/wire.ts";
import { runExclusive } from "./with_tpm.ts";

/** Maximum input of TPM2_Hash. */
const MAX_HASHED_BYTES = 1024;
/** Ticket for a digest that the TPM did not compute: TPM_ST_HASHCHECK, TPM_RH_NULL. */
const NO_TICKET = wire(u16(0x8024), u32(0x40000007), EMPTY);

/**
 * Returns a signer for a TPM key. Throws `KeyTypeError` if the key cannot make a supported
 * signature.
 */
export function createSigner(key: TpmKey, access: TpmAccess): Signer {
  const publicKey = decodePublicKey(key.publicArea);
  checkCanSign(key.publicArea);
  return {
    publicKey,
    certificates: [],
    sign: (message, digest) =>
      runExclusive(() => withErrorMessages(key.label, () => sign(key, access, message, digest))),
    // The connection is closed after each signature.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function sign(
  key: TpmKey,
  access: TpmAccess,
  message: Uint8Array,
  digest: Digest,
): Promise<Uint8Array> {
  const plan = planSignature(key.publicArea, digest);
  if (plan.restricted && message.length > MAX_HASHED_BYTES) {
    throw new KeyTypeError(
      `a restricted key signs at most ${MAX_HASHED_BYTES} bytes, and the message is longer; use an ` +
        "unrestricted key",
    );
  }
  const hashed = await crypto.subtle.digest(digest, Uint8Array.from(message));
  const fitted = tpm2b(plan.fit(new Uint8Array(hashed)));
  const signature = await runWithKey(key, access, {
    encryption: SESSION_ATTRIBUTE.decrypt,
    confidential: false,
    run: async (connection, object, session) => {
      const { digest, ticket } = await hashIfRestricted(plan, message, fitted, connection);
      return await signInTpm(connection, object, session, digest, plan.scheme, ticket);
    },
  });
  return decodeSignature(signature);
}

/** Hashes in the TPM for a restricted key, which only signs digests that the TPM computed. */
async function hashIfRestricted(
  { restricted, hash }: SigningPlan,
  message: Uint8Array,
  digest: Uint8Array,
  connection: Connection,
): Promise<{ digest: Uint8Array; ticket: Uint8Array }> {
  return restricted
    ? await hashInTpm(connection, message, hash.algorithm)
    : { digest, ticket: NO_TICKET };
}

/** Unseals a private key. It is encrypted on the bus. */
export async function unseal(key: TpmKey, access: TpmAccess): Promise<SoftwareKey> {
  if (!isSealedData(key.publicArea)) {
    throw new KeyTypeError("the file declares sealed data but contains a key; make the file again");
  }
  const softwareKey = await runExclusive(() =>
    runWithKey(key, access, {
      encryption: SESSION_ATTRIBUTE.encrypt,
      confidential: true,
      run: unsealInTpm,
    })
  );
  return { softwareKey };
}
