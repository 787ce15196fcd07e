import { assertEquals, assertRejects } from "@std/assert";

import { AgentError } from "../../../plugins/spiffe/errors.ts";
import { MAX_MESSAGE_BYTES, readMessages } from "../../../plugins/spiffe/frames.ts";
import { concatenate } from "../../../src/bytes.ts";
import { grpcFrame } from "../../support/workload_api.ts";

async function read(body: Uint8Array, size: number): Promise<number[][]> {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size));
  const messages: number[][] = [];
  for await (const message of readMessages(ReadableStream.from(chunks))) {
    messages.push([...message]);
  }
  return messages;
}

for (const size of [1, 3, 5, 7, 100]) {
  Deno.test(`readMessages() returns the messages in chunks of ${size} bytes`, async () => {
    const body = concatenate(
      [[1, 2, 3], [], [4]].map((message) => grpcFrame(new Uint8Array(message))),
    );
    assertEquals(await read(body, size), [[1, 2, 3], [], [4]]);
  });
}

for (
  const [what, body, failure] of [
    ["a message that is cut off", grpcFrame(new Uint8Array(3), 4), "cut-off"],
    ["a length that is cut off", new Uint8Array(4), "cut-off"],
    ["a compressed message", new Uint8Array([1, 0, 0, 0, 0]), "not-workload-api"],
    [
      "a message that is too large",
      grpcFrame(new Uint8Array(), MAX_MESSAGE_BYTES + 1),
      "too-large",
    ],
  ] as const
) {
  Deno.test(`readMessages() throws for ${what}`, async () => {
    const thrown = await assertRejects(() => read(body, 100), AgentError);
    assertEquals(thrown.failure, failure);
  });
}
