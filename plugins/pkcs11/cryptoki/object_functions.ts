/**
 * The functions of PKCS#11 that find objects and read their attributes.
 *
 * @module
 */
import type { TimedCalls } from "./timed_calls.ts";
import { allocate } from "./library.ts";
import { CKR } from "./return_values.ts";
import type { Attribute, Handle, Structures } from "./structures.ts";

/** How many objects are fetched in one call. */
const OBJECTS_AT_ONCE = 32;
/** A module that goes on and on is cut off here. */
const MAX_OBJECTS = 10_000;
/** Most attributes are not longer than this: they are had in one call. */
const DEFAULT_ATTRIBUTE_BYTES = 2048;
/** An attribute that is said to be longer than this is a module's mistake. */
const MAX_ATTRIBUTE_BYTES = 1_048_576;
/** One of several attributes is missing or secret; those that are neither have been given. */
const PARTIAL = [CKR.ATTRIBUTE_TYPE_INVALID, CKR.ATTRIBUTE_SENSITIVE, CKR.BUFFER_TOO_SMALL];

/** Typed functions of PKCS#11 for objects; each throws what {@link TimedCalls} does. */
export class ObjectCalls {
  constructor(private readonly calls: TimedCalls, private readonly structures: Structures) {}

  /** C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal: the objects that have all attributes. */
  async find(session: Handle, attributes: readonly Attribute[]): Promise<Handle[]> {
    const template = this.structures.template(attributes);
    const count = BigInt(attributes.length);
    await this.calls.call("C_FindObjectsInit", [session, template, count], {
      reachable: attributes,
    });
    const found: Handle[] = [];
    const list = this.structures.ulongs(OBJECTS_AT_ONCE);
    const given = this.structures.ulongs(1);
    while (found.length < MAX_OBJECTS) {
      await this.calls.call("C_FindObjects", [session, list, BigInt(OBJECTS_AT_ONCE), given]);
      const length = Math.min(OBJECTS_AT_ONCE, Number(this.structures.readUlong(given)));
      for (let i = 0; i < length; i++) found.push(this.structures.readUlong(list, i));
      if (length < OBJECTS_AT_ONCE) break; // as browsers take it: fewer than asked for are the last
    }
    await this.calls.call("C_FindObjectsFinal", [session]);
    return found;
  }

  /** C_GetAttributeValue: the values of `types` in their order; undefined for those it has not. */
  async attributes(
    session: Handle,
    object: Handle,
    types: readonly number[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const results = new Map<number, Uint8Array<ArrayBuffer>>();
    const read = async (rooms: readonly Attribute[]): Promise<boolean> => {
      const template = this.structures.template(rooms);
      const args = [session, object, template, BigInt(rooms.length)];
      const value = await this.calls.call("C_GetAttributeValue", args, {
        reachable: rooms,
        expected: PARTIAL,
      });
      for (const [i, [type, room]] of rooms.entries()) {
        const length = this.structures.attributeLength(template, i);
        if (length !== undefined && length <= room.length) results.set(type, room.slice(0, length));
      }
      return value === CKR.OK;
    };
    const isComplete = await read(types.map((type) => [type, allocate(DEFAULT_ATTRIBUTE_BYTES)]));
    if (!isComplete) {
      // Missing, secret, or longer than usual: the module tells which by their lengths.
      const left = types.filter((type) => !results.has(type));
      const lengths = await this.#lengths(session, object, left);
      const longer = lengths.filter(([, length]) => length > 0 && length <= MAX_ATTRIBUTE_BYTES);
      if (longer.length > 0) await read(longer.map(([type, length]) => [type, allocate(length)]));
    }
    return types.map((type) => results.get(type));
  }

  /** The lengths of those attributes that the object has. */
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
