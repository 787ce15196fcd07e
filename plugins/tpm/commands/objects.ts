/**
 * TPM commands that find, create, load and flush objects (TPM 2.0 Library, Part 3). Structures are
 * passed and returned marshalled; objects and sessions are ESYS_TR numbers. The caller flushes
 * objects (see transaction.ts). Every function can throw `TpmError`.
 *
 * @module
 */
import { ALGORITHM } from "../structures/algorithms.ts";
import {
  type Connection,
  createObjectCell,
  createPointerCell,
  NO_SESSIONS,
  type ObjectCell,
  oneSession,
} from "../tss/connection.ts";
import { EMPTY, u16, u32 } from "../structures/wire.ts";

const NO_CIPHER = u16(ALGORITHM.null);

/** Returns the ESYS_TR of an object in the TPM; sends TPM2_ReadPublic. */
export async function findObject(
  connection: Connection,
  handle: number,
  operation: "find-key" | "find-parent",
): Promise<number> {
  const object = createObjectCell();
  const { Esys_TR_FromTPMPublic } = connection.libraries.esys;
  await connection.call(
    operation,
    Esys_TR_FromTPMPublic,
    connection.context,
    handle,
    ...NO_SESSIONS,
    object,
  );
  return object[0] ?? 0;
}

/** Returns the TPM2B_PUBLIC of an object. */
export async function readPublic(
  connection: Connection,
  object: number,
  operation: "find-key" | "find-parent",
): Promise<Uint8Array> {
  const cell = createPointerCell();
  const { Esys_ReadPublic } = connection.libraries.esys;
  const args = [connection.context, object, ...NO_SESSIONS, cell, null, null] as const;
  await connection.call(operation, Esys_ReadPublic, ...args);
  return connection.marshalAndFree("TPM2B_PUBLIC", cell);
}

/** Serializes an object's ESYS metadata, for {@link deserialize} in another connection. */
export function serialize(connection: Connection, object: number): Uint8Array<ArrayBuffer> {
  const cell = createPointerCell();
  const length = new BigUint64Array(1);
  connection.check(
    "find-key",
    connection.libraries.esys.Esys_TR_Serialize(connection.context, object, cell, length),
  );
  const pointer = Deno.UnsafePointer.create(cell[0] ?? 0n);
  if (!pointer) return new Uint8Array(0);
  try {
    const view = Deno.UnsafePointerView.getArrayBuffer(pointer, Number(length[0]));
    return new Uint8Array(view.slice(0));
  } finally {
    connection.libraries.esys.Esys_Free(pointer);
  }
}

/** Returns the ESYS_TR of a serialized object; sends no command. */
export function deserialize(connection: Connection, serialized: Uint8Array<ArrayBuffer>): number {
  const object = createObjectCell();
  const length = BigInt(serialized.length);
  connection.check(
    "find-key",
    connection.libraries.esys.Esys_TR_Deserialize(connection.context, serialized, length, object),
  );
  return object[0] ?? 0;
}

/** Creates the primary key of a template (TPM2B_PUBLIC) under a hierarchy. */
export async function createPrimary(
  connection: Connection,
  hierarchy: number,
  session: number,
  template: Uint8Array,
  into: ObjectCell,
): Promise<void> {
  const zeros = connection.unmarshal("TPM2B_DATA", EMPTY);
  const { Esys_CreatePrimary } = connection.libraries.esys;
  await connection.call(
    "make-parent",
    Esys_CreatePrimary,
    connection.context,
    hierarchy,
    ...oneSession(session),
    zeros, // without password and data
    connection.unmarshal("TPM2B_PUBLIC", template),
    zeros,
    connection.unmarshal("TPML_PCR_SELECTION", u32(0)),
    into,
    null,
    null,
    null,
    null,
  );
}

/** Loads a key (TPM2B_PRIVATE, TPM2B_PUBLIC) under its parent. */
export async function load(
  connection: Connection,
  parent: number,
  session: number,
  privateArea: Uint8Array,
  publicArea: Uint8Array,
  into: ObjectCell,
): Promise<void> {
  const { Esys_Load } = connection.libraries.esys;
  await connection.call(
    "load",
    Esys_Load,
    connection.context,
    parent,
    ...oneSession(session),
    connection.unmarshal("TPM2B_PRIVATE", privateArea),
    connection.unmarshal("TPM2B_PUBLIC", publicArea),
    into,
  );
}

/** Imports a key that another machine encrypted for its parent; returns the TPM2B_PRIVATE. */
export async function importKey(
  connection: Connection,
  parent: number,
  session: number,
  publicArea: Uint8Array,
  duplicate: Uint8Array,
  seed: Uint8Array,
): Promise<Uint8Array> {
  const cell = createPointerCell();
  const { Esys_Import } = connection.libraries.esys;
  await connection.call(
    "import",
    Esys_Import,
    connection.context,
    parent,
    ...oneSession(session),
    connection.unmarshal("TPM2B_DATA", EMPTY),
    connection.unmarshal("TPM2B_PUBLIC", publicArea),
    connection.unmarshal("TPM2B_PRIVATE", duplicate),
    connection.unmarshal("TPM2B_ENCRYPTED_SECRET", seed),
    connection.unmarshal("TPMT_SYM_DEF_OBJECT", NO_CIPHER),
    cell,
  );
  return connection.marshalAndFree("TPM2B_PRIVATE", cell);
}

/** Flushes an object or session from the TPM. */
export async function flush(connection: Connection, object: number): Promise<void> {
  await connection.call(
    "flush",
    connection.libraries.esys.Esys_FlushContext,
    connection.context,
    object,
  );
}
