import { assertEquals, assertThrows } from "@std/assert";
import { formatHandle, parseHandle } from "../../../plugins/tpm/structures/handles.ts";
import { HelperError } from "../../../src/errors.ts";

for (const text of ["0x81abcdef", "81ABCDEF", "0X81AbCdEf", "0x81ABCDEF"]) {
  Deno.test(`parseHandle() reads ${text}`, () => {
    assertEquals(formatHandle(parseHandle(text, `handle:${text}`)), "0x81abcdef");
  });
}

Deno.test("parseHandle() reads the handle of a transient object", () => {
  assertEquals(parseHandle("80000002", "x"), 0x80000002);
});

for (
  const text of ["", "0x", "8100010", "0x810000011", "81 00 00 01", "0x8100000g", "0x0x81000001"]
) {
  Deno.test(`parseHandle() throws usage when given ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseHandle(text, `handle:${text}`), HelperError);
    assertEquals(error.code, "usage");
  });
}

for (
  const [text, type] of [
    ["00000007", "a PCR"],
    ["01c00002", "an NV index"],
    ["02000000", "an HMAC session"],
    ["03000000", "a policy session"],
    ["40000001", "a hierarchy"],
    ["90000000", "an attached component"],
    ["ff000000", "an unknown object"],
  ] as const
) {
  Deno.test(`parseHandle() throws usage naming ${type} when given ${text}`, () => {
    const error = assertThrows(() => parseHandle(text, `handle:${text}`), HelperError, type);
    assertEquals(error.code, "usage");
  });
}
