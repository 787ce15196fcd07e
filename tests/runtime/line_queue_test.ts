import { assertEquals } from "@std/assert";
import { LineQueue, MAX_WAITING_BYTES, type WriteResult } from "../../src/runtime/line_queue.ts";

/** Creates a stream that accepts a limited number of bytes at once, and records them. */
function createStream() {
  const stream = {
    text: "",
    room: Infinity as number | "gone",
    write: (bytes: Uint8Array): WriteResult => {
      if (stream.room === "gone") return "gone";
      if (stream.room === 0) return "full";
      const taken = bytes.subarray(0, Math.min(bytes.length, stream.room));
      stream.room -= taken.length;
      stream.text += new TextDecoder().decode(taken);
      return taken.length;
    },
  };
  return stream;
}

Deno.test("add() writes a line at once, and a long one in parts", () => {
  const stream = createStream();
  const queue = new LineQueue(stream.write);
  const long = "x".repeat(10_000);
  queue.add("first");
  queue.add(long);
  assertEquals([stream.text, queue.isWaiting], [`first\n${long}\n`, false]);
});

Deno.test("a partly written line continues where it stopped", () => {
  const stream = createStream();
  const queue = new LineQueue(stream.write);
  stream.room = 3;
  queue.add("first");
  queue.add("second");
  assertEquals([stream.text, queue.isWaiting], ["fir", true]);
  stream.room = Infinity;
  queue.flush();
  assertEquals([stream.text, queue.isWaiting], ["first\nsecond\n", false]);
});

Deno.test("lines that do not fit are dropped, counted and reported after the others", () => {
  const stream = createStream();
  const queue = new LineQueue(stream.write);
  stream.room = 0;
  const line = "x".repeat(1023);
  const waiting = MAX_WAITING_BYTES / 1024;
  for (let i = 0; i < waiting + 7; i++) queue.add(line);
  assertEquals(queue.dropped, 7);
  stream.room = Infinity;
  queue.add("last");
  const lines = stream.text.trimEnd().split("\n");
  assertEquals(lines.slice(0, waiting).every((each) => each === line), true);
  assertEquals(lines.slice(waiting), [
    "aws_signing_helper: warning: 7 log lines were dropped; nobody read standard error",
    "last",
  ]);
  assertEquals([queue.dropped, queue.isWaiting], [0, false]);
});

Deno.test("nothing is queued if the reader is gone", () => {
  const stream = createStream();
  const queue = new LineQueue(stream.write);
  stream.room = "gone";
  for (let i = 0; i < 5; i++) queue.add("line");
  assertEquals([queue.dropped, queue.isWaiting], [5, false]);
});
