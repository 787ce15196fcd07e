import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";

import { checkPayload, withoutPayload } from "../../packaging/base/payload.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const BUNDLE = bytes("the text of the program");

/** A Mach-O program of these segments, each with its contents, as far as it is looked at. */
function macho(processor: number, segments: readonly (readonly [string, Uint8Array])[]) {
  const commands = segments.length * 72;
  const header = Buffer.alloc(32 + commands);
  header.writeUInt32LE(0xfeedfacf, 0);
  header.writeUInt32LE(processor, 4);
  header.writeUInt32LE(segments.length, 16);
  header.writeUInt32LE(commands, 20);
  let offset = header.length;
  for (const [i, [name, contents]] of segments.entries()) {
    const at = 32 + 72 * i;
    header.writeUInt32LE(0x19, at);
    header.writeUInt32LE(72, at + 4);
    header.write(name, at + 8, "latin1");
    header.writeBigUInt64LE(BigInt(offset), at + 24); // in memory as in the file
    header.writeBigUInt64LE(BigInt(contents.length), at + 32);
    header.writeBigUInt64LE(BigInt(offset), at + 40);
    header.writeBigUInt64LE(BigInt(contents.length), at + 48);
    offset += contents.length;
  }
  return Buffer.concat([header, ...segments.map(([, contents]) => contents)]);
}

const ARM64 = 0x0100000c;
const X64 = 0x01000007;
const MARK = Buffer.concat([bytes("<~sui-data~>"), Buffer.from("efbeadde", "hex")]);
const TEXT = ["__TEXT", bytes("code")] as const;
const LINKEDIT = ["__LINKEDIT", bytes("symbols")] as const;
const SUI = ["__SUI", BUNDLE] as const;

Deno.test("withoutPayload() takes the segment off a Mach-O program for arm64", () => {
  const base = withoutPayload(macho(ARM64, [TEXT, SUI, LINKEDIT]));
  const expected = macho(ARM64, [TEXT, LINKEDIT]);
  // The room of the command stays; what follows moves up by the segment's length.
  assertEquals(Buffer.from(base).readUInt32LE(16), 2);
  assertEquals(Buffer.from(base).readUInt32LE(20), 2 * 72);
  assertEquals(base.length, expected.length + 72);
  assertEquals(Buffer.from(base).subarray(-11).toString(), "codesymbols");
  const linkEdit = 32 + 72;
  assertEquals(Number(Buffer.from(base).readBigUInt64LE(linkEdit + 40)), base.length - 7);
});

Deno.test("withoutPayload() takes what is appended off a Mach-O program for x64", () => {
  const stretched = Buffer.concat([bytes("symbols"), MARK, BUNDLE]);
  const base = withoutPayload(macho(X64, [TEXT, ["__LINKEDIT", stretched]]));
  assertEquals(Buffer.from(base), macho(X64, [TEXT, LINKEDIT]));
});

Deno.test("withoutPayload() throws when there is no payload or several", () => {
  const wrong: [Uint8Array, string][] = [
    [macho(ARM64, [TEXT, LINKEDIT]), "0 segments __SUI"],
    [macho(ARM64, [TEXT, SUI, SUI, LINKEDIT]), "2 segments __SUI"],
    [macho(ARM64, [SUI, TEXT, LINKEDIT]), "does not stand before"],
    [macho(X64, [TEXT, LINKEDIT]), "0 payloads"],
    [macho(X64, [TEXT, ["__LINKEDIT", Buffer.concat([MARK, MARK])]]), "2 payloads"],
    [bytes("#!/bin/sh"), "neither ELF, PE nor Mach-O"],
  ];
  for (const [program, words] of wrong) assertThrows(() => withoutPayload(program), Error, words);
});

Deno.test("checkPayload() takes a program that holds the bundle once, in its one payload", () => {
  checkPayload(macho(ARM64, [TEXT, SUI, LINKEDIT]), BUNDLE);
  checkPayload(macho(X64, [TEXT, ["__LINKEDIT", Buffer.concat([MARK, BUNDLE])]]), BUNDLE);
  checkPayload(Buffer.concat([Buffer.from("7f454c46", "hex"), BUNDLE]), BUNDLE);
  checkPayload(Buffer.concat([bytes("MZ"), BUNDLE]), BUNDLE);
});

Deno.test("checkPayload() throws when the bundle is missing, elsewhere, or there are two payloads", () => {
  const wrong: [Uint8Array, string][] = [
    [macho(ARM64, [["__TEXT", BUNDLE], ["__SUI", bytes("another")], LINKEDIT]), "does not hold"],
    [macho(ARM64, [TEXT, SUI, SUI, LINKEDIT]), "2 segments __SUI"],
    [macho(ARM64, [TEXT, LINKEDIT]), "0 segments __SUI"],
    [Buffer.concat([bytes("MZ"), BUNDLE, BUNDLE]), "two payloads"],
    [bytes("MZ"), "does not hold"],
  ];
  for (const [program, words] of wrong) {
    assertThrows(() => checkPayload(program, BUNDLE), Error, words);
  }
});
