import { assertEquals, assertThrows } from "@std/assert";
import {
  sized,
  u16,
  u32,
  u8,
  wire,
  WireError,
  WireReader,
} from "../../../plugins/tpm/structures/wire.ts";

Deno.test("WireReader takes apart what the writers put together", () => {
  const bytes = wire(u8(0xff), u16(0xfffe), u32(0x81000001), sized(Uint8Array.of(1, 2)), u8(7));
  const reader = new WireReader(bytes);
  assertEquals([reader.u8(), reader.u16(), reader.u32()], [0xff, 0xfffe, 0x81000001]);
  assertEquals(reader.sized(), Uint8Array.of(1, 2));
  assertEquals(reader.rest, Uint8Array.of(7));
  assertThrows(() => reader.end(), WireError, "bytes behind the end");
  reader.take(1);
  reader.end();
});

Deno.test("WireReader throws WireError when the bytes end too early", () => {
  for (
    const [bytes, read] of [
      [[], "u8"],
      [[1], "u16"],
      [[1, 2, 3], "u32"],
      [[0, 3, 1, 2], "sized"],
      [[0xff, 0xff], "sized"],
    ] as const
  ) {
    assertThrows(() => new WireReader(Uint8Array.from(bytes))[read](), WireError, "ends too early");
  }
});
