import { X509Certificate } from "node:crypto";

import { assertEquals, assertInstanceOf, assertLess, assertMatch, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";

import {
  type Certificate,
  parseCertificate,
  publicKeyOf,
  serialNumberHex,
} from "../../src/x509/certificate.ts";
import { DerError, DerReader, encodeElement, TAG } from "../../src/x509/der.ts";
import { KeyTypeError } from "../../src/x509/key_types.ts";
import { formatName } from "../../src/x509/name.ts";
import { createAuthority, issueCertificate, type KeyType } from "../support/certificates.ts";
import { issueMldsaCertificate, type MldsaLevel } from "../support/mldsa_certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { seededRandom } from "./seeded_random.ts";
import { derOf, describe, selfSigned } from "./test_certificates.ts";
import { cpuTime } from "../support/cpu_time.ts";

const SERIAL_NUMBERS = {
  "1": "1",
  "twenty bytes": "0x7fffffffffffffffffffffffffffffffffffff01",
  "a high first bit": "0x80000000000000ff",
  "a leading zero nibble": "0x0abcdef123456789",
  "zero": "0",
  "negative": "-5",
  "negative, of two bytes": "-0x1234",
};

for (const [what, serial] of Object.entries(SERIAL_NUMBERS)) {
  Deno.test(`parseCertificate() returns openssl's serial number when it is ${what}`, async () => {
    const encoded = await selfSigned("-set_serial", serial);
    const printed = (await describe(encoded, "-serial")).replace("serial=", "");
    const [, sign = "", digits = ""] = /^(-?)([0-9A-F]+)$/.exec(printed) ?? [];
    const expected = BigInt(`0x${digits}`) * (sign ? -1n : 1n);
    const certificate = parseCertificate(encoded);
    assertEquals(certificate.serialNumber, expected);
    assertEquals(serialNumberHex(certificate), printed);
  });
}

Deno.test("parseCertificate() is fast when the serial number has 100,000 bytes", async () => {
  const [certificate] = elementsOf(await selfSigned());
  const [body, ...signature] = elementsOf(certificate?.contents ?? new Uint8Array());
  const fields = elementsOf(body?.contents ?? new Uint8Array()).map(({ encoded }) => encoded);
  fields[1] = encodeElement(TAG.integer, new Uint8Array(100_000).fill(0x55)); // RFC 5280: 20 at most
  const encoded = encodeElement(
    TAG.sequence,
    encodeElement(TAG.sequence, ...fields),
    ...signature.map((element) => element.encoded),
  );
  const started = cpuTime();
  try {
    assertEquals(parseCertificate(encoded).serialNumber > 0n, true);
  } catch (thrown) {
    assertInstanceOf(thrown, DerError);
  }
  assertLess(cpuTime() - started, 500);
});

const VALIDITIES = {
  "UTCTime": ["2024-02-29T23:59:59Z", "2049-12-31T23:59:59Z"],
  "UTCTime of the last century": ["1950-01-01T00:00:00Z", "1999-12-31T23:59:59Z"],
  "UTCTime and GeneralizedTime": ["2020-01-02T03:04:05Z", "2050-01-01T00:00:00Z"],
  "GeneralizedTime": ["2051-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
};

for (const [how, [notBefore = "", notAfter = ""]] of Object.entries(VALIDITIES)) {
  Deno.test(`parseCertificate() returns the dates when they are ${how}`, async () => {
    using directory = new TemporaryDirectory();
    const { certificatePem } = await createAuthority(directory, {
      subject: "/CN=dates",
      notBefore: new Date(notBefore),
      notAfter: new Date(notAfter),
    });
    const certificate = parseCertificate(derOf(certificatePem));
    const reference = new X509Certificate(certificatePem);
    assertEquals(certificate.notBefore.toISOString(), notBefore.replace("Z", ".000Z"));
    assertEquals(certificate.notAfter.toISOString(), notAfter.replace("Z", ".000Z"));
    assertEquals(certificate.notAfter, new Date(reference.validTo));
  });
}

Deno.test("parseCertificate() throws DerError when a date is malformed", async () => {
  const encoded = await selfSigned("-days", "30");
  const from = encoded.findIndex((byte, i) => byte === TAG.utcTime && encoded[i + 1] === 13);
  const wrong = ["241301000000Z", "240230000000Z", "240101240000Z", "240101006000Z"]
    .concat(["24010100000000", "2401010000+01", "24010100000aZ", "           Z", "-40101000000Z"]);
  for (const text of wrong) {
    const changed = encoded.slice();
    changed.set(new TextEncoder().encode(text.padEnd(13).slice(0, 13)), from + 2);
    assertThrows(() => parseCertificate(changed), DerError);
  }
});

Deno.test("parseCertificate() distinguishes authorities from end entities by basic constraints", async () => {
  const cases: [string | null, boolean][] = [
    ["CA:TRUE", true],
    ["critical,CA:TRUE,pathlen:0", true],
    ["CA:FALSE", false],
    [null, false],
  ];
  using directory = new TemporaryDirectory();
  for (const [basicConstraints, expected] of cases) {
    const { certificatePem } = await createAuthority(directory, {
      subject: "/CN=constraints",
      extensions: { basicConstraints },
    });
    assertEquals(parseCertificate(derOf(certificatePem)).isAuthority, expected);
  }
});

Deno.test("parseCertificate() returns the key identifiers when they are present", async () => {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Root" });
  const leaf = await issueCertificate(root, { subject: "/CN=Leaf" });
  const rootCertificate = parseCertificate(derOf(root.certificatePem));
  const leafCertificate = parseCertificate(derOf(leaf.certificatePem));
  assertEquals(leafCertificate.authorityKeyIdentifier, rootCertificate.subjectKeyIdentifier);
  assertEquals(rootCertificate.authorityKeyIdentifier, undefined);
  const printed = await describe(leafCertificate.encoded, "-ext", "subjectKeyIdentifier");
  assertEquals(
    encodeHex(leafCertificate.subjectKeyIdentifier ?? ""),
    printed.split("\n")[1]?.replaceAll(/[^0-9A-F]/g, "").toLowerCase(),
  );
});

Deno.test("parseCertificate() reads a certificate of version 1, without extensions", async () => {
  using directory = new TemporaryDirectory();
  const { certificatePem } = await createAuthority(directory, {
    subject: "/CN=old",
    extensions: {
      basicConstraints: null,
      keyUsage: null,
      subjectKeyIdentifier: null,
      authorityKeyIdentifier: null,
    },
  });
  const certificate = parseCertificate(derOf(certificatePem));
  assertMatch(await describe(certificate.encoded, "-text"), /Version: 1 /);
  assertEquals([certificate.isAuthority, certificate.subjectKeyIdentifier], [false, undefined]);
});

Deno.test("parseCertificate() reads extensions named after a UUID (ITU-T X.667)", async () => {
  const uuid = 0xf81d4fae7dec11d0a76500a0c91e6bf6n;
  const encoded = await selfSigned("-addext", `2.25.${uuid}=ASN1:UTF8String:anything`);
  assertEquals(parseCertificate(encoded).isAuthority, true);
});

Deno.test("parseCertificate() throws DerError when anything follows the certificate", async () => {
  const encoded = await selfSigned();
  assertThrows(() => parseCertificate(Uint8Array.from([...encoded, 0])), DerError);
});

Deno.test("parseCertificate() shares the memory of its input and returns all of it", async () => {
  const encoded = await selfSigned();
  const certificate = parseCertificate(encoded);
  assertEquals(certificate.encoded, encoded);
  assertEquals(certificate.subject.buffer, encoded.buffer);
  assertEquals(certificate.subject, certificate.issuer);
});

const KEY_TYPES: [KeyType, string, string | undefined][] = [
  ["rsa-1024", "RSA", undefined],
  ["rsa-2048", "RSA", undefined],
  ["ec-p256", "EC", "P-256"],
  ["ec-p384", "EC", "P-384"],
  ["ec-p521", "EC", "P-521"],
];

Deno.test("publicKeyOf() returns node:crypto's key for each type of key", async () => {
  using directory = new TemporaryDirectory();
  for (const [keyType, kind, curve] of KEY_TYPES) {
    const { certificatePem } = await createAuthority(directory, { subject: "/CN=key", keyType });
    const publicKey = publicKeyOf(parseCertificate(derOf(certificatePem)));
    const reference = new X509Certificate(certificatePem).publicKey;
    assertEquals([publicKey.keyType, publicKey.curve?.name], [kind, curve]);
    const spki = reference.export({ format: "der", type: "spki" });
    assertEquals(encodeHex(publicKey.encoded), encodeHex(new Uint8Array(spki)));
  }
});

Deno.test("publicKeyOf() throws KeyTypeError with the type when it cannot be used", async () => {
  const ed25519 = parseCertificate(await selfSigned("-newkey", "ed25519"));
  assertThrows(() => publicKeyOf(ed25519), KeyTypeError, "Ed25519");
  const k1 = await selfSigned("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1");
  assertThrows(() => publicKeyOf(parseCertificate(k1)), KeyTypeError, "secp256k1");
});

/** Makes a certificate of each type of key, by name. */
async function certificatesOfEveryKind(
  directory: TemporaryDirectory,
): Promise<Map<string, Uint8Array>> {
  const kinds = new Map<string, Uint8Array>();
  const authority = await createAuthority(directory, {
    subject: '/C=US/O=a\\/b+OU=ü/emailAddress=a@b.c/CN=Root, "the" one',
  });
  for (const keyType of ["rsa-1024", "rsa-2048", "ec-p256", "ec-p384", "ec-p521"] as const) {
    const issued = await issueCertificate(authority, { subject: `/CN=${keyType}`, keyType });
    kinds.set(keyType, derOf(issued.certificatePem));
  }
  for (const level of [44, 65, 87] as const satisfies MldsaLevel[]) {
    const issued = await issueMldsaCertificate(authority, { subject: `/CN=${level}`, level });
    kinds.set(`ml-dsa-${level}`, derOf(issued.certificatePem));
  }
  return kinds;
}

Deno.test("parseCertificate() throws DerError when a certificate is truncated at any byte", async () => {
  using directory = new TemporaryDirectory();
  for (const encoded of (await certificatesOfEveryKind(directory)).values()) {
    for (let length = 0; length < encoded.length; length++) {
      assertThrows(() => parseCertificate(encoded.subarray(0, length)), DerError);
    }
  }
});

const MUTATIONS = 100_000;
const SEED = 0x5eed;

Deno.test(`parseCertificate() throws only DerError and KeyTypeError for ${MUTATIONS} mutations`, async () => {
  using directory = new TemporaryDirectory();
  const originals = [...(await certificatesOfEveryKind(directory)).entries()];
  const random = seededRandom(SEED);
  let read = 0;
  let refused = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    const [kind, original] = originals[i % originals.length] ?? ["", new Uint8Array()];
    const mutated = mutate(original, random);
    try {
      readEverything(parseCertificate(mutated));
      read++;
    } catch (thrown) {
      if (!(thrown instanceof DerError) && !(thrown instanceof KeyTypeError)) {
        const mutation = `seed ${SEED}, mutation ${i} of ${kind}: ${encodeHex(mutated)}`;
        throw new Error(mutation, { cause: thrown });
      }
      refused++;
    }
  }
  // Both outcomes must occur often, or the mutations test nothing.
  assertEquals([read > MUTATIONS / 20, refused > MUTATIONS / 20], [true, true]);
});

function readEverything(certificate: Certificate): void {
  assertInstanceOf(certificate.notAfter, Date);
  formatName(certificate.subject);
  formatName(certificate.issuer);
  publicKeyOf(certificate);
}

/** Makes one to four small changes, most of them in the structure at the front. */
function mutate(original: Uint8Array, random: (bound: number) => number): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const reach = random(4) === 0 ? bytes.length : Math.min(bytes.length, 700);
    const at = random(Math.max(reach, 1));
    const tags = Object.values(TAG);
    switch (random(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2:
        bytes[at] = tags[random(tags.length)] ?? 0;
        break;
      case 3:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + random(8))]);
        break;
      case 4:
        bytes = Uint8Array.from([
          ...bytes.subarray(0, at),
          ...bytes.subarray(random(at + 1), at),
          ...bytes.subarray(at),
        ]);
        break;
      case 5:
        bytes = bytes.slice(0, at);
        break;
      default:
        bytes = replaceBody(bytes, random);
    }
  }
  return bytes;
}

/** Changes one field of the body and recomputes all lengths, so that parsing reaches the change. */
function replaceBody(bytes: Uint8Array, random: (bound: number) => number): Uint8Array {
  try {
    const outer = elementsOf(elementsOf(bytes)[0]?.contents ?? bytes);
    const fields = elementsOf(outer[0]?.contents ?? bytes);
    const chosen = random(fields.length);
    const contents = fields.map(({ tag, contents }, i) => {
      if (i !== chosen) return encodeElement(tag, contents);
      const changed = contents.slice(0, random(2) === 0 ? contents.length : random(40));
      if (changed.length > 0) changed[random(changed.length)] = random(256);
      return encodeElement(random(8) === 0 ? random(256) : tag, changed);
    });
    const rest = outer.slice(1).map(({ encoded }) => encoded);
    return encodeElement(TAG.sequence, encodeElement(TAG.sequence, ...contents), ...rest);
  } catch (thrown) {
    if (thrown instanceof DerError) return bytes; // earlier changes broke the structure
    throw thrown;
  }
}

function elementsOf(contents: Uint8Array) {
  const elements = [];
  for (const level = new DerReader(contents); !level.atEnd;) elements.push(level.next());
  return elements;
}
