/**
 * TPM commands about objects (TPM 2.0 Library, Part 3): finding, making, loading and removing them.
 * Structures go in and come out in their wire form; objects and sessions are ESYS_TR numbers.
 * Nothing is flushed by itself: transaction.ts does that. Every function may throw `TpmError`.
 *
 * @module
 */
import { ALGORITHM } from "../structures/algorithms.ts";
import {
  type Connection,
  NO_SESSIONS,
  numberCell,
  type ObjectCell,
  oneSession,
  pointerCell,
} from "../tss/connection.ts";
import { EMPTY, u16, u32 } from "../structures/wire.ts";

const NO_CIPHER = u16(ALGORITHM.null);

/** The ESYS number of an object that is in the TPM; reads its public area. */
export async function find(
  connection: Connection,
  handle: number,
  step: "find-key" | "find-parent",
): Promise<number> {
  const object = numberCell();
  const { Esys_TR_FromTPMPublic } = connection.libraries.esys;
  await connection.call(
    step,
    Esys_TR_FromTPMPublic,
    connection.context,
    handle,
    ...NO_SESSIONS,
    object,
  );
  return object[0] ?? 0;
}

/** TPM2B_PUBLIC of an object. */
export async function readPublic(
  connection: Connection,
  object: number,
  step: "find-key" | "find-parent",
): Promise<Uint8Array> {
  const cell = pointerCell();
  const { Esys_ReadPublic } = connection.libraries.esys;
  const args = [connection.context, object, ...NO_SESSIONS, cell, null, null] as const;
  await connection.call(step, Esys_ReadPublic, ...args);
  return connection.take("TPM2B_PUBLIC", cell);
}

/** What ESYS knows of an object, for {@link deserialize} in another connection. */
export function remember(connection: Connection, object: number): Uint8Array<ArrayBuffer> {
  const cell = pointerCell();
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

/** The ESYS number of an object that was remembered; asks the TPM nothing. */
export function deserialize(connection: Connection, remembered: Uint8Array<ArrayBuffer>): number {
  const object = numberCell();
  const length = BigInt(remembered.length);
  connection.check(
    "find-key",
    connection.libraries.esys.Esys_TR_Deserialize(connection.context, remembered, length, object),
  );
  return object[0] ?? 0;
}

/** Makes the primary key of a template (TPM2B_PUBLIC) under a hierarchy. */
export async function createPrimary(
  connection: Connection,
  hierarchy: number,
  session: number,
  template: Uint8Array,
  into: ObjectCell,
): Promise<void> {
  const zeros = connection.structure("TPM2B_DATA", EMPTY);
  const { Esys_CreatePrimary } = connection.libraries.esys;
  await connection.call(
    "make-parent",
    Esys_CreatePrimary,
    connection.context,
    hierarchy,
    ...oneSession(session),
    zeros, // neither password nor data
    connection.structure("TPM2B_PUBLIC", template),
    zeros,
    connection.structure("TPML_PCR_SELECTION", u32(0)),
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
    connection.structure("TPM2B_PRIVATE", privateArea),
    connection.structure("TPM2B_PUBLIC", publicArea),
    into,
  );
}

/** Makes the TPM2B_PRIVATE of a key that was encrypted for its parent elsewhere. */
export async function importKey(
  connection: Connection,
  parent: number,
  session: number,
  publicArea: Uint8Array,
  duplicate: Uint8Array,
  seed: Uint8Array,
): Promise<Uint8Array> {
  const cell = pointerCell();
  const { Esys_Import } = connection.libraries.esys;
  await connection.call(
    "import",
    Esys_Import,
    connection.context,
    parent,
    ...oneSession(session),
    connection.structure("TPM2B_DATA", EMPTY),
    connection.structure("TPM2B_PUBLIC", publicArea),
    connection.structure("TPM2B_PRIVATE", duplicate),
    connection.structure("TPM2B_ENCRYPTED_SECRET", seed),
    connection.structure("TPMT_SYM_DEF_OBJECT", NO_CIPHER),
    cell,
  );
  return connection.take("TPM2B_PRIVATE", cell);
}

/** Removes an object or session from the TPM. */
export async function flush(connection: Connection, object: number): Promise<void> {
  await connection.call(
    "flush",
    connection.libraries.esys.Esys_FlushContext,
    connection.context,
    object,
  );
}
