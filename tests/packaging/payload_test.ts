import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";

import { checkPayload, removePayload } from "../../packaging/base/payload.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const BUNDLE = bytes("the text of the program");

/** Returns a Mach-O program with these segments and contents, as far as our code reads it. */
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

/** Returns the end of a Mach-O program for x64: mark, length, payload. */
function appended(payload: Uint8Array): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(payload.length));
  return Buffer.concat([MARK, length, payload]);
}

/** Returns an ELF program without sections, and payloads as `deno compile` appends them. */
function elf(...payloads: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(64);
  header.write("7f454c46", "hex");
  header.writeBigUInt64LE(64n, 0x28);
  const appended = payloads.map((payload) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(8 + payload.length + 8));
    return Buffer.concat([bytes("d3n0l4nd"), payload, length]);
  });
  return Buffer.concat([header, ...appended]);
}
const TEXT = ["__TEXT", bytes("code")] as const;
const LINKEDIT = ["__LINKEDIT", bytes("symbols")] as const;
const SUI = ["__SUI", BUNDLE] as const;

Deno.test("removePayload() removes the segment of a Mach-O program for arm64", () => {
  const base = removePayload(macho(ARM64, [TEXT, SUI, LINKEDIT]));
  const expected = macho(ARM64, [TEXT, LINKEDIT]);
  // The command's space stays; the following bytes move up by the segment's length.
  assertEquals(Buffer.from(base).readUInt32LE(16), 2);
  assertEquals(Buffer.from(base).readUInt32LE(20), 2 * 72);
  assertEquals(base.length, expected.length + 72);
  assertEquals(Buffer.from(base).subarray(-11).toString(), "codesymbols");
  const linkEdit = 32 + 72;
  assertEquals(Number(Buffer.from(base).readBigUInt64LE(linkEdit + 40)), base.length - 7);
});

Deno.test("removePayload() removes the appended payload of a Mach-O program for x64", () => {
  const stretched = Buffer.concat([bytes("symbols"), appended(BUNDLE)]);
  const base = removePayload(macho(X64, [TEXT, ["__LINKEDIT", stretched]]));
  assertEquals(Buffer.from(base), macho(X64, [TEXT, LINKEDIT]));
});

Deno.test("removePayload() removes the appended payload of an ELF program", () => {
  assertEquals(removePayload(elf(BUNDLE)), elf());
});

Deno.test("removePayload() throws without a payload or for several", () => {
  const wrong: [Uint8Array, string][] = [
    [macho(ARM64, [TEXT, LINKEDIT]), "0 segments __SUI"],
    [macho(ARM64, [TEXT, SUI, SUI, LINKEDIT]), "2 segments __SUI"],
    [macho(ARM64, [SUI, TEXT, LINKEDIT]), "is not before"],
    [macho(X64, [TEXT, LINKEDIT]), "0 payloads"],
    [macho(X64, [TEXT, ["__LINKEDIT", Buffer.concat([MARK, MARK])]]), "2 payloads"],
    [
      macho(X64, [TEXT, ["__LINKEDIT", Buffer.concat([appended(BUNDLE), bytes("more")])]]),
      "does not end with the program",
    ],
    [elf(), "no payload"],
    [elf(bytes("another program"), BUNDLE), "more than one payload"],
    [bytes("#!/bin/sh"), "neither ELF, PE nor Mach-O"],
  ];
  for (const [program, message] of wrong) {
    assertThrows(() => removePayload(program), Error, message);
  }
});

Deno.test("checkPayload() accepts a program that contains the bundle once, in its only payload", () => {
  checkPayload(macho(ARM64, [TEXT, SUI, LINKEDIT]), BUNDLE);
  checkPayload(macho(X64, [TEXT, ["__LINKEDIT", Buffer.concat([MARK, BUNDLE])]]), BUNDLE);
  checkPayload(Buffer.concat([Buffer.from("7f454c46", "hex"), BUNDLE]), BUNDLE);
  checkPayload(Buffer.concat([bytes("MZ"), BUNDLE]), BUNDLE);
});

Deno.test("checkPayload() throws when the bundle is missing, elsewhere, or there are two payloads", () => {
  const wrong: [Uint8Array, string][] = [
    [macho(ARM64, [["__TEXT", BUNDLE], ["__SUI", bytes("another")], LINKEDIT]), "does not contain"],
    [macho(ARM64, [TEXT, SUI, SUI, LINKEDIT]), "2 segments __SUI"],
    [macho(ARM64, [TEXT, LINKEDIT]), "0 segments __SUI"],
    [Buffer.concat([bytes("MZ"), BUNDLE, BUNDLE]), "two payloads"],
    [bytes("MZ"), "does not contain"],
  ];
  for (const [program, message] of wrong) {
    assertThrows(() => checkPayload(program, BUNDLE), Error, message);
  }
});
