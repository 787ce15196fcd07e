import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import {
  encodeElement,
  encodeObjectIdentifier,
  encodeSequence,
  readSequence,
  TAG,
} from "../../src/x509/der.ts";
import { seededRandom } from "./seeded_random.ts";

/** Attribute of a name: its type, and its value with the tag of its string type. */
type Attribute = readonly [type: string, tag: number, value: string | Uint8Array];
/** Relative names in the order of DER. */
type Name = readonly (readonly Attribute[])[];

interface Fields {
  readonly serial: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notAfter: string;
}

const CN = "2.5.4.3";
const O = "2.5.4.10";
const OU = "2.5.4.11";

const ORIGINAL: Fields = {
  serial: new Uint8Array([0x0a, 0x0b]),
  issuer: [[[O, TAG.utf8String, "Acme, Inc."]], [[CN, TAG.utf8String, "Issuer 1"]]],
  subject: [
    [["2.5.4.6", TAG.printableString, "US"]],
    [[O, TAG.utf8String, "Acme, Inc."]],
    [[OU, TAG.utf8String, "R + D"], ["0.9.2342.19200300.100.1.1", TAG.utf8String, "jo"]],
    [[CN, TAG.utf8String, "Jo Doe"]],
  ],
  notAfter: "300101000000Z",
};

/** Values that are easily confused with each other or with syntax, or that a shell would change. */
const VALUES: readonly (string | Uint8Array)[] = [
  ...["Jo Doe", "Jo  Doe", "jo doe", "Jo Doe ", " Jo Doe", "Jo\u00a0Doe", "Jo\tDoe", "Jo\nDoe", ""],
  ...[
    "Jo,Doe",
    "Jo\\,Doe",
    "Jo;Doe",
    "Jo+Doe",
    "Jo=Doe",
    "#Jo",
    "\\#Jo",
    "Jo\\20Doe",
    "Jo\\",
    "\\",
  ],
  ...[
    '"Jo Doe"',
    "'Jo Doe'",
    "Jo\u201cDoe\u201d",
    "$HOME",
    "%PATH%",
    "!!",
    "`id`",
    "$(id)",
    "a&b|c^d",
  ],
  ...["Jo Key=x509Serial,Value=01", " Key=", "Jo\u200eDoe", "Jo\u202eDoe", "\ufeffJo Doe", "Jo\0"],
  ...[
    "Jörg",
    "Jo\u0308rg",
    "日本 🔑",
    "<Jo>",
    "CN=Jo",
    "O=a,CN=b",
    "*?[a]~",
    "#0c024a6f",
    "\u2028Jo",
  ],
  new Uint8Array([0x4a, 0xff]),
  new Uint8Array([0x4a, 0xfe]),
];

/** Makes `count` different certificates. Most of them differ in one detail from the others. */
export function nearTwins(template: Certificate, count: number, seed: number): Certificate[] {
  const random = seededRandom(seed);
  const made = new Map<string, Certificate>();
  let fields = ORIGINAL;
  while (made.size < count) {
    const certificate = rebuild(template, fields);
    made.set(String(certificate.encoded), certificate);
    fields = change(random(3) === 0 ? fields : ORIGINAL, random);
  }
  return [...made.values()];
}

function change(fields: Fields, random: (bound: number) => number): Fields {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const { subject } = fields;
  const [first = [], ...rest] = subject;
  const value = pick(VALUES);
  const common: Attribute = [pick([CN, CN, "2.5.4.15", "1.2.3.4"]), TAG.utf8String, value];
  const changes: readonly (() => Partial<Fields>)[] = [
    () => ({ subject: [...subject.slice(0, -1), [common]] }),
    () => ({ subject: [...subject.slice(0, -1), [common]] }),
    () => ({ subject: [[common], ...subject] }),
    () => ({ subject: [...subject, [common]] }),
    () => ({ subject: subject.toReversed() }),
    () => ({ subject: [...rest, first] }),
    () => ({ subject: [[...first, ...rest[0] ?? []], ...rest.slice(1)] }),
    () => ({ subject: subject.flatMap((relative) => relative.map((attribute) => [attribute])) }),
    () => ({ subject: subject.map((relative) => relative.toReversed()) }),
    () => ({ subject: subject.map((r) => r.map(([type, , v]) => [type, TAG.teletexString, v])) }),
    () => ({ subject: [] }),
    () => ({ issuer: subject }),
    () => ({ issuer: [[[CN, TAG.utf8String, value]]] }),
    () => ({ issuer: [...fields.issuer, [[CN, TAG.utf8String, "Issuer 1"]]] }),
    () => ({ serial: new Uint8Array([pick([0x8a, 0x00, 0x0a, 0xff]), random(256)]) }),
    () => ({ serial: new Uint8Array([0x0a, 0x0b, random(256)]) }),
    () => ({ notAfter: `30010${1 + random(9)}000000Z` }),
  ];
  const changed = { ...fields, ...pick(changes)() };
  return { ...changed, subject: changed.subject.filter((relative) => relative.length > 0) };
}

/** Returns the template with other fields. Its signature is not valid. */
function rebuild(template: Certificate, fields: Fields): Certificate {
  const [body, ...signature] = elements(template.encoded);
  const parts = elements(body ?? template.encoded);
  const [notBefore = new Uint8Array()] = elements(parts[4] ?? template.encoded);
  const notAfter = encodeElement(TAG.utcTime, new TextEncoder().encode(fields.notAfter));
  parts[1] = encodeElement(TAG.integer, fields.serial);
  parts[3] = encodeName(fields.issuer);
  parts[4] = encodeSequence(notBefore, notAfter);
  parts[5] = encodeName(fields.subject);
  return parseCertificate(encodeSequence(encodeSequence(...parts), ...signature));
}

function elements(sequence: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const reader = readSequence(sequence); !reader.atEnd;) found.push(reader.next().encoded);
  return found;
}

function encodeName(name: Name): Uint8Array {
  return encodeSequence(...name.map((relative) =>
    encodeElement(
      TAG.set,
      ...relative.map(([type, tag, value]) =>
        encodeSequence(encodeObjectIdentifier(type), encodeElement(tag, bytesOf(value)))
      ),
    )
  ));
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}
