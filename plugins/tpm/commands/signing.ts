/**
 * TPM commands that use a key or tell something (TPM 2.0 Library, Part 3). Structures go in and come
 * out in their wire form. Every function may throw `TpmError`.
 *
 * @module
 */
import { type Connection, NO_SESSIONS, oneSession, pointerCell } from "../tss/connection.ts";
import { ESYS } from "../structures/handles.ts";
import { sized, WireReader } from "../structures/wire.ts";

const PROPERTIES = 6; // TPM_CAP_TPM_PROPERTIES
const INT_SIZE = 4;

/** Hashes in the TPM, which restricted keys ask for; gives TPM2B_DIGEST and TPMT_TK_HASHCHECK. */
export async function hash(
  connection: Connection,
  message: Uint8Array,
  hash: number,
): Promise<{ digest: Uint8Array; ticket: Uint8Array }> {
  const digest = pointerCell();
  const ticket = pointerCell();
  const { Esys_Hash } = connection.libraries.esys;
  await connection.call(
    "hash",
    Esys_Hash,
    connection.context,
    ...NO_SESSIONS,
    connection.structure("TPM2B_MAX_BUFFER", sized(message)),
    hash,
    ESYS.owner,
    digest,
    ticket,
  );
  return {
    digest: connection.take("TPM2B_DIGEST", digest),
    ticket: connection.take("TPMT_TK_HASHCHECK", ticket),
  };
}

/** Signs TPM2B_DIGEST by TPMT_SIG_SCHEME and TPMT_TK_HASHCHECK; gives TPMT_SIGNATURE. */
export async function sign(
  connection: Connection,
  key: number,
  session: number,
  digest: Uint8Array,
  scheme: Uint8Array,
  ticket: Uint8Array,
): Promise<Uint8Array> {
  const cell = pointerCell();
  const { Esys_Sign } = connection.libraries.esys;
  await connection.call(
    "sign",
    Esys_Sign,
    connection.context,
    key,
    ...oneSession(session),
    connection.structure("TPM2B_DIGEST", digest),
    connection.structure("TPMT_SIG_SCHEME", scheme),
    connection.structure("TPMT_TK_HASHCHECK", ticket),
    cell,
  );
  return connection.take("TPMT_SIGNATURE", cell);
}

/** The contents of a sealed object. The caller wipes them. */
export async function unseal(
  connection: Connection,
  object: number,
  session: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const cell = pointerCell();
  const { Esys_Unseal } = connection.libraries.esys;
  await connection.call(
    "unseal",
    Esys_Unseal,
    connection.context,
    object,
    ...oneSession(session),
    cell,
  );
  const encoded = connection.take("TPM2B_SENSITIVE_DATA", cell, true);
  const contents = Uint8Array.from(new WireReader(encoded).sized());
  encoded.fill(0);
  return contents;
}

/** Properties of the TPM by TPM_PT, `count` from `first` on. */
export async function properties(
  connection: Connection,
  first: number,
  count: number,
): Promise<ReadonlyMap<number, number>> {
  const more = new Uint8Array(INT_SIZE);
  const cell = pointerCell();
  const { Esys_GetCapability } = connection.libraries.esys;
  const args = [connection.context, ...NO_SESSIONS, PROPERTIES, first, count, more, cell] as const;
  await connection.call("capability", Esys_GetCapability, ...args);
  const reader = new WireReader(connection.take("TPMS_CAPABILITY_DATA", cell));
  reader.u32();
  const found = new Map<number, number>();
  for (let left = reader.u32(); left > 0; left--) found.set(reader.u32(), reader.u32());
  return found;
}
