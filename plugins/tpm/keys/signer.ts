/**
 * Signing with a TPM key, and opening what is sealed by the TPM.
 *
 * @module
 */
import type { Digest, Signer, SoftwareKey } from "../../../src/keystore/types.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import type { Connection } from "../tss/connection.ts";
import { explained } from "./errors.ts";
import { runWithKey, type TpmKey } from "./key.ts";
import { isSealedData, publicKeyOfArea } from "../structures/public_area.ts";
import { SESSION_ATTRIBUTE } from "../commands/sessions.ts";
import {
  checkCanSign,
  decodeSignature,
  type SigningPlan,
  signingPlan,
} from "./signature_scheme.ts";
import type { TpmAccess } from "./transaction.ts";
import {
  hash as hashInTpm,
  sign as signInTpm,
  unseal as unsealInTpm,
} from "../commands/signing.ts";
import { EMPTY, sized, u16, u32, wire } from "../structures/wire.ts";
import { runExclusive } from "./with_tpm.ts";

/** What TPM2_Hash takes at once, in bytes. */
const MAX_HASHED_BYTES = 1024;
/** The ticket of a digest that the TPM did not compute: TPM_ST_HASHCHECK, TPM_RH_NULL. */
const NO_TICKET = wire(u16(0x8024), u32(0x40000007), EMPTY);

/** A signer by a TPM key. Throws `KeyTypeError` when the key can never make a signature. */
export function signerOf(key: TpmKey, access: TpmAccess): Signer {
  const publicKey = publicKeyOfArea(key.publicArea);
  checkCanSign(key.publicArea);
  return {
    publicKey,
    certificates: [],
    sign: (message, digest) =>
      runExclusive(() => explained(key.label, () => sign(key, access, message, digest))),
    // Between two signatures nothing is open.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function sign(
  key: TpmKey,
  access: TpmAccess,
  message: Uint8Array,
  digest: Digest,
): Promise<Uint8Array> {
  const plan = signingPlan(key.publicArea, digest);
  if (plan.restricted && message.length > MAX_HASHED_BYTES) {
    throw new KeyTypeError(
      `it is a restricted key, for messages up to ${MAX_HASHED_BYTES} bytes, which this one exceeds`,
    );
  }
  const hashed = await crypto.subtle.digest(digest, Uint8Array.from(message));
  const fitted = sized(plan.fit(new Uint8Array(hashed)));
  const signature = await runWithKey(key, access, {
    encryption: SESSION_ATTRIBUTE.decrypt,
    confidential: false,
    run: async (connection, object, session) => {
      const { digest, ticket } = await ticketFor(plan, message, fitted, connection);
      return await signInTpm(connection, object, session, digest, plan.scheme, ticket);
    },
  });
  return decodeSignature(signature);
}

/** A restricted key signs what the TPM has hashed and found harmless, and nothing else. */
async function ticketFor(
  { restricted, hash }: SigningPlan,
  message: Uint8Array,
  digest: Uint8Array,
  connection: Connection,
): Promise<{ digest: Uint8Array; ticket: Uint8Array }> {
  return restricted
    ? await hashInTpm(connection, message, hash.algorithm)
    : { digest, ticket: NO_TICKET };
}

/** Opens a sealed object; its contents never cross the bus in the clear. */
export async function unseal(key: TpmKey, access: TpmAccess): Promise<SoftwareKey> {
  if (!isSealedData(key.publicArea)) {
    throw new KeyTypeError("its file says that it is sealed data, and it is a key; make it again");
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
