/**
 * TPM2_Sign, TPM2_Unseal, TPM2_Hash and TPM2_GetCapability (TPM 2.0 Library, Part 3). Structures
 * are passed and returned marshalled. Every function can throw `TpmError`.
 *
 * @module
 */
import { type Connection, createPointerCell, NO_SESSIONS, oneSession } from "../tss/connection.ts";
import { ESYS_TR } from "../structures/handles.ts";
import { tpm2b, WireReader } from "../structures/wire.ts";

const PROPERTIES = 6; // TPM_CAP_TPM_PROPERTIES
const INT_SIZE = 4;

/** Hashes in the TPM, for restricted keys; returns TPM2B_DIGEST and TPMT_TK_HASHCHECK. */
export async function hash(
  connection: Connection,
  message: Uint8Array,
  hash: number,
): Promise<{ digest: Uint8Array; ticket: Uint8Array }> {
  const digest = createPointerCell();
  const ticket = createPointerCell();
  const { Esys_Hash } = connection.libraries.esys;
  await connection.call(
    "hash",
    Esys_Hash,
    connection.context,
    ...NO_SESSIONS,
    connection.unmarshal("TPM2B_MAX_BUFFER", tpm2b(message)),
    hash,
    ESYS_TR.owner,
    digest,
    ticket,
  );
  return {
    digest: connection.marshalAndFree("TPM2B_DIGEST", digest),
    ticket: connection.marshalAndFree("TPMT_TK_HASHCHECK", ticket),
  };
}

/** Signs TPM2B_DIGEST with TPMT_SIG_SCHEME and TPMT_TK_HASHCHECK; returns TPMT_SIGNATURE. */
export async function sign(
  connection: Connection,
  key: number,
  session: number,
  digest: Uint8Array,
  scheme: Uint8Array,
  ticket: Uint8Array,
): Promise<Uint8Array> {
  const cell = createPointerCell();
  const { Esys_Sign } = connection.libraries.esys;
  await connection.call(
    "sign",
    Esys_Sign,
    connection.context,
    key,
    ...oneSession(session),
    connection.unmarshal("TPM2B_DIGEST", digest),
    connection.unmarshal("TPMT_SIG_SCHEME", scheme),
    connection.unmarshal("TPMT_TK_HASHCHECK", ticket),
    cell,
  );
  return connection.marshalAndFree("TPMT_SIGNATURE", cell);
}

/** Returns the contents of a sealed object. The caller wipes them. */
export async function unseal(
  connection: Connection,
  object: number,
  session: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const cell = createPointerCell();
  const { Esys_Unseal } = connection.libraries.esys;
  await connection.call(
    "unseal",
    Esys_Unseal,
    connection.context,
    object,
    ...oneSession(session),
    cell,
  );
  const encoded = connection.marshalAndFree("TPM2B_SENSITIVE_DATA", cell, true);
  const contents = Uint8Array.from(new WireReader(encoded).tpm2b());
  encoded.fill(0);
  return contents;
}

/** Returns `count` TPM properties by TPM_PT, from `first` on. */
export async function readProperties(
  connection: Connection,
  first: number,
  count: number,
): Promise<ReadonlyMap<number, number>> {
  const more = new Uint8Array(INT_SIZE);
  const cell = createPointerCell();
  const { Esys_GetCapability } = connection.libraries.esys;
  const args = [connection.context, ...NO_SESSIONS, PROPERTIES, first, count, more, cell] as const;
  await connection.call("capability", Esys_GetCapability, ...args);
  const reader = new WireReader(connection.marshalAndFree("TPMS_CAPABILITY_DATA", cell));
  reader.u32();
  const found = new Map<number, number>();
  for (let left = reader.u32(); left > 0; left--) found.set(reader.u32(), reader.u32());
  return found;
}
