/**
 * TPM commands about authorization (TPM 2.0 Library, Part 3): passwords, sessions and policies.
 * Every function may throw `TpmError`.
 *
 * @module
 */
import { ALGORITHM } from "../structures/algorithms.ts";
import { type Connection, NO_SESSIONS, type ObjectCell } from "../tss/connection.ts";
import { ESYS } from "../structures/handles.ts";
import { sized, u16, wire } from "../structures/wire.ts";

/** TPM_SE: what a session is for. */
export const SESSION_KIND = { hmac: 0x00, policy: 0x01 } as const;

/** TPMA_SESSION bits. */
export const SESSION_ATTRIBUTE = { continue: 0x01, decrypt: 0x20, encrypt: 0x40 } as const;

const ALL_ATTRIBUTES = 0xff;
const AES_128_CFB = wire(u16(ALGORITHM.aes), u16(128), u16(ALGORITHM.cfb));

/** Tells ESYS the password of an object, for the sessions that follow; sends nothing. */
export function setPassword(connection: Connection, object: number, password: Uint8Array): void {
  const encoded = sized(password);
  const auth = connection.structure("TPM2B_DIGEST", encoded);
  try {
    connection.check(
      "find-key",
      connection.libraries.esys.Esys_TR_SetAuth(connection.context, object, auth),
    );
  } finally {
    encoded.fill(0);
    auth.fill(0);
  }
}

/** Starts a session whose secrets are salted with `saltKey`. */
export async function startSession(
  connection: Connection,
  kind: number,
  saltKey: number,
  hash: number,
  into: ObjectCell,
): Promise<void> {
  const { Esys_StartAuthSession } = connection.libraries.esys;
  await connection.call(
    "start-session",
    Esys_StartAuthSession,
    connection.context,
    saltKey,
    ESYS.none,
    ...NO_SESSIONS,
    null,
    kind,
    connection.structure("TPMT_SYM_DEF", AES_128_CFB),
    hash,
    into,
  );
}

/** Sets what is encrypted in the next command of a session, by {@link SESSION_ATTRIBUTE}. */
export function setAttributes(connection: Connection, session: number, attributes: number): void {
  connection.check(
    "start-session",
    connection.libraries.esys.Esys_TRSess_SetAttributes(
      connection.context,
      session,
      attributes,
      ALL_ATTRIBUTES,
    ),
  );
}

/** TPM2_PolicyPCR, by TPM2B_DIGEST and TPML_PCR_SELECTION. */
export async function policyPcr(
  connection: Connection,
  session: number,
  digest: Uint8Array,
  selection: Uint8Array,
): Promise<void> {
  const { Esys_PolicyPCR } = connection.libraries.esys;
  await connection.call(
    "policy-pcr",
    Esys_PolicyPCR,
    connection.context,
    session,
    ...NO_SESSIONS,
    connection.structure("TPM2B_DIGEST", digest),
    connection.structure("TPML_PCR_SELECTION", selection),
  );
}

export async function policyAuthValue(connection: Connection, session: number): Promise<void> {
  const { Esys_PolicyAuthValue } = connection.libraries.esys;
  await connection.call(
    "policy",
    Esys_PolicyAuthValue,
    connection.context,
    session,
    ...NO_SESSIONS,
  );
}

export async function policyCommandCode(
  connection: Connection,
  session: number,
  command: number,
): Promise<void> {
  const { Esys_PolicyCommandCode } = connection.libraries.esys;
  const args = [connection.context, session, ...NO_SESSIONS, command] as const;
  await connection.call("policy", Esys_PolicyCommandCode, ...args);
}

export async function policyLocality(
  connection: Connection,
  session: number,
  locality: number,
): Promise<void> {
  const { Esys_PolicyLocality } = connection.libraries.esys;
  const args = [connection.context, session, ...NO_SESSIONS, locality] as const;
  await connection.call("policy", Esys_PolicyLocality, ...args);
}
