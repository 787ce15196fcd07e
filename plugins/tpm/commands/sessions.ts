/**
 * TPM commands for authorization (TPM 2.0 Library, Part 3): passwords, sessions and policies. Every
 * function can throw `TpmError`.
 *
 * @module
 */
import { ALGORITHM } from "../structures/algorithms.ts";
import { type Connection, NO_SESSIONS, type ObjectCell } from "../tss/connection.ts";
import { ESYS_TR } from "../structures/handles.ts";
import { tpm2b, u16, wire } from "../structures/wire.ts";

/** Session types, TPM_SE. */
export const SESSION_TYPE = { hmac: 0x00, policy: 0x01 } as const;

/** TPMA_SESSION bits. */
export const SESSION_ATTRIBUTE = { continue: 0x01, decrypt: 0x20, encrypt: 0x40 } as const;

const ALL_ATTRIBUTES = 0xff;
const AES_128_CFB = wire(u16(ALGORITHM.aes), u16(128), u16(ALGORITHM.cfb));

/** Sets an object's password for later sessions; sends no command. */
export function setPassword(connection: Connection, object: number, password: Uint8Array): void {
  const encoded = tpm2b(password);
  const auth = connection.unmarshal("TPM2B_DIGEST", encoded);
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

/** Starts a session salted with `saltKey`. */
export async function startSession(
  connection: Connection,
  type: number,
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
    ESYS_TR.none,
    ...NO_SESSIONS,
    null,
    type,
    connection.unmarshal("TPMT_SYM_DEF", AES_128_CFB),
    hash,
    into,
  );
}

/** Sets the session's {@link SESSION_ATTRIBUTE} bits, such as parameter encryption. */
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

/** Sends TPM2_PolicyPCR with TPM2B_DIGEST and TPML_PCR_SELECTION. */
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
    connection.unmarshal("TPM2B_DIGEST", digest),
    connection.unmarshal("TPML_PCR_SELECTION", selection),
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
