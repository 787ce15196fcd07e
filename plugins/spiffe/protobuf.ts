/**
 * Bounded reader of protobuf messages (protobuf.dev, "Encoding"), for messages whose fields are
 * bytes, strings and messages.
 *
 * @module
 */

/** Malformed protobuf. */
export class ProtobufError extends Error {
  override readonly name = "ProtobufError";
}

/** Field with a length. `bytes` shares the memory of the message. */
export interface Field {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Maximum number of bytes of a number. */
const MAX_VARINT_BYTES = 10;
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/** Reads the fields with a length, in their order. Skips others. Throws {@link ProtobufError}. */
export function* readFields(message: Uint8Array): Generator<Field> {
  let at = 0;
  while (at < message.length) {
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        readVarint();
        break;
      case FIXED_64:
        take(8);
        break;
      case LENGTH_DELIMITED:
        yield { number, bytes: take(readVarint()) };
        break;
      case FIXED_32:
        take(4);
        break;
      default:
        throw new ProtobufError("an unknown type of field");
    }
  }

  function readVarint(): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = message[at++];
      if (byte === undefined) throw new ProtobufError("it ends within a number");
      // Not a shift: numbers may have more than 32 bits.
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new ProtobufError("a number is too long");
  }

  function take(length: number): Uint8Array {
    if (length > message.length - at) throw new ProtobufError("it ends within a field");
    at += length;
    return message.subarray(at - length, at);
  }
}
