/**
 * Messages of a gRPC stream: a flag, a length and the message ("gRPC over HTTP2", Length-Prefixed-
 * Message).
 *
 * @module
 */
import { AgentError } from "./errors.ts";

/** Maximum size of a message, bytes; the default of gRPC. */
export const MAX_MESSAGE_BYTES = 4 << 20;
/** Size of flag and length, bytes. */
const HEADER_BYTES = 5;

/**
 * Reads the messages in a body, and wipes what it has read. The caller wipes the messages.
 *
 * Throws {@link AgentError} for a compressed or too large message, and if the body ends within one.
 */
export async function* readMessages(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(HEADER_BYTES);
  let message: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  try {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length;) {
        const target = message ?? header;
        const part = chunk.subarray(at, at + target.length - filled);
        target.set(part, filled);
        part.fill(0);
        filled += part.length;
        at += part.length;
        if (filled < target.length) break;
        filled = 0;
        if (!message) {
          const length = readLength(header);
          message = new Uint8Array(length);
          if (length > 0) continue;
        }
        const complete = message;
        message = undefined;
        yield complete;
      }
    }
    if (message || filled > 0) throw new AgentError("cut-off");
  } finally {
    message?.fill(0);
  }
}

function readLength(header: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(header.buffer);
  if (view.getUint8(0) !== 0) throw new AgentError("not-workload-api");
  const length = view.getUint32(1);
  if (length > MAX_MESSAGE_BYTES) throw new AgentError("too-large");
  return length;
}
