/**
 * Converts between marshalled TPM structures and C structures with libtss2-mu, so that C layouts
 * are not needed here.
 *
 * @module
 */
import type { Libraries } from "./libraries.ts";
import { TpmError } from "./return_codes.ts";

/** Buffer size for any structure; the largest, TPM2B_PRIVATE, has about 1600 bytes. */
const MAX_STRUCTURE_BYTES = 4096;

type Names<S, Suffix extends string> = S extends `Tss2_MU_${infer Name}_${Suffix}` ? Name : never;
type Functions = keyof Libraries["marshalling"];

/** Structure that libtss2-mu can unmarshal. */
export type Unmarshalled = Names<Functions, "Unmarshal">;

/** Structure that libtss2-mu can marshal. */
export type Marshalled = Names<Functions, "Marshal">;

/** Returns the C structure for marshalled bytes, in a buffer that may be larger. */
export function unmarshal(
  { marshalling }: Libraries,
  structure: Unmarshalled,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(MAX_STRUCTURE_BYTES);
  const input = Uint8Array.from(bytes);
  const code = marshalling[`Tss2_MU_${structure}_Unmarshal`](
    input,
    BigInt(input.length),
    null,
    buffer,
  );
  input.fill(0); // it may hold a password
  if (code !== 0) throw new TpmError("unmarshal", code);
  return buffer;
}

/** Returns the marshalled bytes of the C structure at `pointer`. */
export function marshal(
  { marshalling }: Libraries,
  structure: Marshalled,
  pointer: Deno.PointerValue,
): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(MAX_STRUCTURE_BYTES);
  const length = new BigUint64Array(1);
  const code = marshalling[`Tss2_MU_${structure}_Marshal`](
    pointer,
    buffer,
    BigInt(buffer.length),
    length,
  );
  if (code !== 0) throw new TpmError("marshal", code);
  const bytes = buffer.slice(0, Number(length[0]));
  buffer.fill(0);
  return bytes;
}
