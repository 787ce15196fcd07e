import { Buffer } from "node:buffer";
import { createPublicKey, verify } from "node:crypto";

import { assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";

import {
  contextTag,
  decodeObjectIdentifier,
  DerError,
  DerReader,
  ecdsaSignatureToDer,
  encodeElement,
  encodeObjectIdentifier,
  encodeSequence,
  encodeUnsignedInteger,
  readSequence,
  TAG,
  unsigned,
  wholeBytes,
} from "../../src/x509/der.ts";

const reader = (hex: string) => new DerReader(decodeHex(hex));

Deno.test("DerReader.next() returns tag, contents and whole element in order", () => {
  const level = reader("0201050c026869");
  const first = level.next();
  assertEquals(
    [first.tag, encodeHex(first.contents), encodeHex(first.encoded)],
    [2, "05", "020105"],
  );
  assertEquals([level.atEnd, level.peekTag()], [false, TAG.utf8String]);
  assertEquals(encodeHex(level.next().encoded), "0c026869");
  assertEquals([level.atEnd, level.peekTag()], [true, undefined]);
});

Deno.test("DerReader.next() reads lengths of one to four bytes when they are the shortest", () => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536, 16_777_216]) {
    const encoded = encodeElement(TAG.octetString, new Uint8Array(length));
    const level = new DerReader(encoded);
    assertEquals(level.octetString().length, length);
    level.end();
  }
});

const BROKEN_ELEMENTS = {
  "nothing": "",
  "a tag only": "30",
  "one byte of contents missing": "300102".slice(0, 4),
  "truncated contents": "04050102",
  "an indefinite length": "30800000",
  "a long form for a short length": "04810101",
  "a leading zero in the length": `048200${"81"}${"00".repeat(129)}`,
  "a truncated length": "048201",
  "a length of five bytes": "04850000000001ff",
  "a reserved length byte": `04ff${"00".repeat(127)}`,
  "the largest length there is": "0484ffffffff00",
  "a tag of more than one byte": "1f810100",
};

for (const [what, hex] of Object.entries(BROKEN_ELEMENTS)) {
  Deno.test(`DerReader.next() throws DerError when there is ${what}`, () => {
    assertThrows(() => reader(hex).next(), DerError);
  });
}

Deno.test("DerReader.expect() throws DerError, and reads nothing, when the tag differs", () => {
  const level = reader("0500");
  assertThrows(() => level.expect(TAG.integer), DerError, "expected tag 0x2, found 0x5");
  assertEquals(level.expect(TAG.null).contents.length, 0);
  assertThrows(() => level.expect(TAG.integer), DerError, "the end");
});

Deno.test("DerReader.optional() reads the element only when it has the tag", () => {
  const level = reader("a003020102");
  assertEquals(level.optional(contextTag(1, true)), undefined);
  assertEquals(encodeHex(level.optional(contextTag(0, true))?.contents ?? ""), "020102");
  assertEquals(level.optional(contextTag(0, true)), undefined);
});

Deno.test("contextTag() returns the class, the constructed bit and the number", () => {
  assertEquals([contextTag(0, false), contextTag(3, true)], [0x80, 0xa3]);
});

Deno.test("DerReader.end() throws DerError when bytes are left", () => {
  assertThrows(() => reader("0500").end(), DerError);
  reader("").end();
});

Deno.test("readSequence() opens the one SEQUENCE and refuses what follows it", () => {
  assertEquals(readSequence(decodeHex("3003020107")).smallInteger(), 7);
  assertThrows(() => readSequence(decodeHex("300302010700")), DerError);
  assertThrows(() => readSequence(decodeHex("3103020107")), DerError);
});

Deno.test("DerReader.sequence() is bounded by its own length", () => {
  const outer = reader("3003020107020109");
  const inner = outer.sequence();
  assertEquals(inner.smallInteger(), 7);
  assertThrows(() => inner.integer(), DerError);
  assertEquals(outer.smallInteger(), 9);
});

Deno.test("DerReader.integer() returns the contents and refuses an empty one", () => {
  assertEquals(encodeHex(reader("020200ff").integer()), "00ff");
  assertThrows(() => reader("0200").integer(), DerError);
});

Deno.test("DerReader.smallInteger() reads 0 to 2^31-1 and refuses all else", () => {
  assertEquals(reader("020100").smallInteger(), 0);
  assertEquals(reader("02020800").smallInteger(), 2048);
  assertEquals(reader("02047fffffff").smallInteger(), 2 ** 31 - 1);
  for (const hex of ["0201ff", "02050080000000", "020480000000", "0200", "0400"]) {
    assertThrows(() => reader(hex).smallInteger(), DerError);
  }
});

Deno.test("DerReader.bitString() returns whole bytes and refuses unused bits", () => {
  assertEquals(encodeHex(reader("030300a1b2").bitString()), "a1b2");
  assertEquals(reader("030100").bitString().length, 0);
  assertThrows(() => reader("030204f0").bitString(), DerError);
  assertThrows(() => reader("0300").bitString(), DerError);
  assertThrows(() => wholeBytes(new Uint8Array()), DerError);
});

const OBJECT_IDENTIFIERS = {
  "1.2.840.113549.1.1.1": "06092a864886f70d010101",
  "1.2.840.10045.3.1.7": "06082a8648ce3d030107",
  "2.16.840.1.101.3.4.3.17": "0609608648016503040311",
  "0.9.2342.19200300.100.1.25": "060a0992268993f22c640119",
  "2.999.3": "0603883703",
  "1.39.127.128": "06044f7f8100",
};

Deno.test("objectIdentifier() and encodeObjectIdentifier() are each other's inverse", () => {
  for (const [dotted, hex] of Object.entries(OBJECT_IDENTIFIERS)) {
    assertEquals(reader(hex).objectIdentifier(), dotted);
    assertEquals(encodeHex(encodeObjectIdentifier(dotted)), hex);
  }
});

Deno.test("decodeObjectIdentifier() keeps every digit of an arc of 128 bits", () => {
  const uuid = decodeHex(`6983${"ff".repeat(17)}7f`); // 2.25.(2^128-1) by X.667
  assertEquals(decodeObjectIdentifier(uuid), `2.25.${2n ** 128n - 1n}`);
});

Deno.test("decodeObjectIdentifier() throws DerError when it is empty, truncated or huge", () => {
  for (const hex of ["", "80", "2a86", `2a${"ff".repeat(4096)}7f`]) {
    assertThrows(() => decodeObjectIdentifier(decodeHex(hex)), DerError);
  }
});

Deno.test("unsigned() drops leading zeros and keeps the last byte", () => {
  const cases = [["00ff", "ff"], ["000001", "01"], ["00", "00"], ["7f00", "7f00"], ["", ""]];
  for (const [from = "", to = ""] of cases) {
    assertEquals(encodeHex(unsigned(decodeHex(from))), to);
  }
});

Deno.test("encodeUnsignedInteger() writes the shortest positive form", () => {
  const cases = [
    ["", "020100"],
    ["00", "020100"],
    ["0000", "020100"],
    ["7f", "02017f"],
    ["80", "02020080"],
    ["0080", "02020080"],
    ["000000ff01", "020300ff01"],
  ];
  for (const [from = "", to = ""] of cases) {
    assertEquals(encodeHex(encodeUnsignedInteger(decodeHex(from))), to);
  }
});

Deno.test("encodeSequence() joins its elements under one header", () => {
  assertEquals(encodeHex(encodeSequence(decodeHex("0500"), decodeHex("020101"))), "30050500020101");
  assertEquals(encodeHex(encodeSequence()), "3000");
});

const CURVES = { "P-256": 32, "P-384": 48, "P-521": 66 };

for (const [namedCurve, coordinateBytes] of Object.entries(CURVES)) {
  Deno.test(`ecdsaSignatureToDer() makes what node:crypto verifies for ${namedCurve}`, async () => {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve }, true, [
      "sign",
      "verify",
    ]);
    const publicKey = createPublicKey({
      key: Buffer.from(await crypto.subtle.exportKey("spki", pair.publicKey)),
      format: "der",
      type: "spki",
    });
    const hash = namedCurve === "P-521" ? "SHA-512" : "SHA-256";
    for (let i = 0; i < 16; i++) {
      const message = new Uint8Array([i]);
      const algorithm = { name: "ECDSA", hash };
      const raw = new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, message));
      assertEquals(raw.length, 2 * coordinateBytes);
      const signature = ecdsaSignatureToDer(raw);
      assertEquals(verify(hash.replace("-", ""), message, publicKey, signature), true);
    }
  });
}

Deno.test("ecdsaSignatureToDer() writes r and s in their shortest positive form", () => {
  const cases = [
    ["0001", "0080", "300702010102020080"],
    ["7fff", "8000", "300902027fff0203008000"],
    ["0000", "007f", "300602010002017f"],
  ];
  for (const [r = "", s = "", der = ""] of cases) {
    assertEquals(encodeHex(ecdsaSignatureToDer(decodeHex(r + s))), der);
  }
});
