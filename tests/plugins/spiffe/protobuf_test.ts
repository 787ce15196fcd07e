import { assertEquals, assertThrows } from "@std/assert";

import { ProtobufError, readFields } from "../../../plugins/spiffe/protobuf.ts";

const read = (...bytes: number[]) => [...readFields(new Uint8Array(bytes))];

Deno.test("readFields() returns fields with a length, and skips the others", () => {
  assertEquals(
    // deno-fmt-ignore
    read(
      0x0a, 2, 7, 8,
      0x10, 0xff, 0x01,
      0x19, 1, 2, 3, 4, 5, 6, 7, 8,
      0x25, 1, 2, 3, 4,
      0xaa, 0x06, 0,
    ),
    [
      { number: 1, bytes: new Uint8Array([7, 8]) },
      { number: 101, bytes: new Uint8Array() },
    ],
  );
  assertEquals(read(), []);
});

for (
  const [what, bytes] of [
    ["a tag that is cut off", [0x80]],
    ["a field that is cut off", [0x0a, 2, 7]],
    ["a length of 2^63", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["a number of 11 bytes", [0x08, ...Array.from({ length: 10 }, () => 0x80), 1]],
    ["a group", [0x0b, 0x0c]],
    ["a fixed number that is cut off", [0x19, 1, 2]],
  ] as const
) {
  Deno.test(`readFields() throws for ${what}`, () => {
    assertThrows(() => read(...bytes), ProtobufError);
  });
}
