import { assertEquals, assertThrows } from "@std/assert";
import {
  tpm2b,
  u16,
  u32,
  u8,
  wire,
  WireError,
  WireReader,
} from "../../../plugins/tpm/structures/wire.ts";

Deno.test("WireReader reads what the encoders write", () => {
  const bytes = wire(u8(0xff), u16(0xfffe), u32(0x81000001), tpm2b(Uint8Array.of(1, 2)), u8(7));
  const reader = new WireReader(bytes);
  assertEquals([reader.u8(), reader.u16(), reader.u32()], [0xff, 0xfffe, 0x81000001]);
  assertEquals(reader.tpm2b(), Uint8Array.of(1, 2));
  assertEquals(reader.rest, Uint8Array.of(7));
  assertThrows(() => reader.end(), WireError, "bytes after the end");
  reader.take(1);
  reader.end();
});

Deno.test("WireReader throws WireError if the bytes end too early", () => {
  for (
    const [bytes, read] of [
      [[], "u8"],
      [[1], "u16"],
      [[1, 2, 3], "u32"],
      [[0, 3, 1, 2], "tpm2b"],
      [[0xff, 0xff], "tpm2b"],
    ] as const
  ) {
    assertThrows(() => new WireReader(Uint8Array.from(bytes))[read](), WireError, "ends too early");
  }
});
