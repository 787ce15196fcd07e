/**
 * Typed wrappers for the PKCS#11 functions that find objects and read their attributes.
 *
 * @module
 */
import type { TimedCalls } from "./timed_calls.ts";
import { allocate } from "./library.ts";
import { CKR } from "./return_values.ts";
import type { Attribute, Handle, Structures } from "./structures.ts";

/** Number of objects to read in one call. */
const FIND_BATCH_SIZE = 32;
/** Upper limit for one search, against modules that never stop. */
const MAX_OBJECTS = 10_000;
/** Buffer size for an attribute, large enough to need one call for most of them. */
const DEFAULT_ATTRIBUTE_BYTES = 2048;
/** Maximum length of an attribute; a module that reports more is wrong. */
const MAX_ATTRIBUTE_BYTES = 1_048_576;
/** Return values if an attribute is missing, secret or too long; the others were read. */
const PARTIAL = [CKR.ATTRIBUTE_TYPE_INVALID, CKR.ATTRIBUTE_SENSITIVE, CKR.BUFFER_TOO_SMALL];

/** Object functions of a module. Each throws the errors of {@link TimedCalls}. */
export class ObjectFunctions {
  constructor(private readonly calls: TimedCalls, private readonly structures: Structures) {}

  /** Returns the objects that have all attributes (C_FindObjectsInit, C_FindObjects, …Final). */
  async find(session: Handle, attributes: readonly Attribute[]): Promise<Handle[]> {
    const template = this.structures.template(attributes);
    const count = BigInt(attributes.length);
    await this.calls.call("C_FindObjectsInit", [session, template, count], {
      reachable: attributes,
    });
    let found: Handle[];
    try {
      found = await this.#collect(session);
    } catch (thrown) {
      // Otherwise the next search of the session fails; the first error is the reason.
      await this.calls.call("C_FindObjectsFinal", [session]).catch(() => {});
      throw thrown;
    }
    await this.calls.call("C_FindObjectsFinal", [session]);
    return found;
  }

  /** Returns the objects of the search that was begun (C_FindObjects). */
  async #collect(session: Handle): Promise<Handle[]> {
    const found: Handle[] = [];
    const list = this.structures.ulongArray(FIND_BATCH_SIZE);
    const returned = this.structures.ulongArray(1);
    while (found.length < MAX_OBJECTS) {
      await this.calls.call("C_FindObjects", [session, list, BigInt(FIND_BATCH_SIZE), returned]);
      const length = Math.min(FIND_BATCH_SIZE, Number(this.structures.readUlong(returned)));
      for (let i = 0; i < length; i++) found.push(this.structures.readUlong(list, i));
      if (length < FIND_BATCH_SIZE) break; // a short result is the last one, as in browsers
    }
    return found;
  }

  /** Calls C_GetAttributeValue; returns the values in the order of `types`, undefined if missing. */
  async getAttributeValues(
    session: Handle,
    object: Handle,
    types: readonly number[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const results = new Map<number, Uint8Array<ArrayBuffer>>();
    const read = async (buffers: readonly Attribute[]): Promise<boolean> => {
      const template = this.structures.template(buffers);
      const args = [session, object, template, BigInt(buffers.length)];
      const value = await this.calls.call("C_GetAttributeValue", args, {
        reachable: buffers,
        expected: PARTIAL,
      });
      for (const [i, [type, buffer]] of buffers.entries()) {
        const length = this.structures.attributeLength(template, i);
        if (length !== undefined && length <= buffer.length) {
          results.set(type, buffer.slice(0, length));
        }
      }
      return value === CKR.OK;
    };
    const isComplete = await read(types.map((type) => [type, allocate(DEFAULT_ATTRIBUTE_BYTES)]));
    if (!isComplete) {
      // The lengths show which are missing or secret, and which need a larger buffer.
      const left = types.filter((type) => !results.has(type));
      const lengths = await this.#lengths(session, object, left);
      const longer = lengths.filter(([, length]) => length > 0 && length <= MAX_ATTRIBUTE_BYTES);
      if (longer.length > 0) await read(longer.map(([type, length]) => [type, allocate(length)]));
    }
    return types.map((type) => results.get(type));
  }

  /** Returns the lengths of the attributes that the object has. */
  async #lengths(
    session: Handle,
    object: Handle,
    types: readonly number[],
  ): Promise<[type: number, length: number][]> {
    const empty = types.map((type): Attribute => [type, allocate(0)]);
    const template = this.structures.template(empty);
    const args = [session, object, template, BigInt(empty.length)];
    await this.calls.call("C_GetAttributeValue", args, { expected: PARTIAL });
    return types.flatMap((type, i) => {
      const length = this.structures.attributeLength(template, i);
      return length === undefined ? [] : [[type, length]];
    });
  }
}
