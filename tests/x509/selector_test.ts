import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";

import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { matchesSelector, parseSelector, SelectorError } from "../../src/x509/selector.ts";
import { readSelectorArguments, readSelectorJson } from "../../src/x509/selector_syntax.ts";
import { testWithReference } from "../support/reference.ts";
import { describe, selfSigned } from "./test_certificates.ts";

/** Certificate of the table rows. Its issuer is its subject. */
const certificate = await makeCertificate();

async function makeCertificate(): Promise<Certificate> {
  const names = [
    "DNS:Host.Example.com",
    "email:Jo.Doe@Example.com",
    "URI:spiffe://example.com/ns/a",
    "IP:192.0.2.1",
    "IP:2001:db8::1",
    "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:jo@corp.example.com",
    "RID:1.2.3",
  ];
  // deno-fmt-ignore
  return parseCertificate(await selfSigned(
    "-utf8", "-set_serial", "0x0a0bff",
    "-subj", "/DC=com/DC=example/C=US/O=Acme, Inc./OU=R \\+ D/OU=b+UID=jo/title=boss/GN=Jo/" +
      'emailAddress=jo@example.com/businessCategory=odd/CN=Jürgen "J" #1 = a\\\\b',
    "-addext", `subjectAltName=${names.join(",")}`,
  ));
}

const NAME = 'CN=Jürgen \\"J\\" #1 \\= a\\\\b,2.5.4.15=#0c036f6464,E=jo@example.com,GN=Jo,T=boss,' +
  "OU=b+UID=jo,OU=R \\+ D,O=Acme\\, Inc.,C=US,DC=example,DC=com";
const subject = (name: string) => [`Key=x509Subject,Value=${name}`];
const key = (name: string, value: string) => [`Key=${name},Value=${value}`];
const sha = async (hash: string) =>
  (await describe(certificate.encoded, "-fingerprint", `-${hash}`)).replace(/^[^=]*=/, "");
const SHA1 = await sha("sha1");
const SHA256 = await sha("sha256");

/** Selectors as arguments from a shell, and true if they match the certificate. */
const RIGHT: [what: string, args: string[], matches: boolean][] = [
  ["the RFC 2253 form", subject(NAME), true],
  [
    "spaces around separators",
    subject(NAME.replaceAll(/(?<!\\)[,]/g, " , ").replace("CN=", " CN = ")),
    true,
  ],
  ["semicolons", subject(NAME.replaceAll(/(?<!\\),/g, ";")), true],
  ["types in lower case", subject(NAME.replace("CN=", "cn=").replace("DC=com", "dc=com")), true],
  [
    "object identifiers",
    subject(NAME.replace("CN=", "2.5.4.3=").replace("E=", "1.2.840.113549.1.9.1=")),
    true,
  ],
  [
    "object identifiers with OID.",
    subject(NAME.replace("CN=", "OID.2.5.4.3=").replace("C=US", "oid.2.5.4.6=US")),
    true,
  ],
  ["EMAILADDRESS", subject(NAME.replace("E=", "EMAILADDRESS=")), true],
  ["emailAddress", subject(NAME.replace("E=", "emailAddress=")), true],
  [
    "openssl's long names",
    subject(
      NAME.replace("CN=", "commonName=").replace("T=", "title=").replace("GN=", "givenName="),
    ),
    true,
  ],
  [
    "domainComponent and userId",
    subject(NAME.replace("DC=com", "domainComponent=com").replace("UID=", "userId=")),
    true,
  ],
  ["the name as hex", subject(NAME.replace("C=US", "C=#13025553")), true],
  ["hex in capitals", subject(NAME.replace("#0c036f6464", "#0C036F6464")), true],
  ["another string type in hex", subject(NAME.replace("C=US", "C=#0c025553")), true],
  ["an unknown type as text", subject(NAME.replace("#0c036f6464", "odd")), true],
  ["hex escapes", subject(NAME.replace("ü", "\\C3\\BC").replace("US", "\\55\\53")), true],
  ["an escaped #", subject(NAME.replace("#1", "\\#1")), true],
  ["an equals sign that is not escaped", subject(NAME.replace("\\=", "=")), true],
  ["quotes", subject(NAME.replace("Acme\\, Inc.", '"Acme, Inc."')), true],
  [
    "quotes doubled like Windows",
    subject(NAME.replace('Jürgen \\"J\\" #1 \\= a\\\\b', '"Jürgen ""J"" #1 = a\\\\b"')),
    true,
  ],
  ["quotes with spaces around", subject(NAME.replace("Acme\\, Inc.", ' "Acme, Inc." ')), true],
  ["a plus sign in quotes", subject(NAME.replace("R \\+ D", '"R + D"')), true],
  [
    "a multi-valued relative name turned",
    subject(NAME.replace("OU=b+UID=jo", "UID=jo + OU=b")),
    true,
  ],
  ["trailing spaces", subject(`${NAME}  `), true],
  ["the whole in double quotes", [`"Key=x509Subject,Value=${NAME}"`], true],
  ["a blank before", [`  Key=x509Subject,Value=${NAME}`], true],
  ["the reverse order", subject(NAME.split(/(?<!\\),/).reverse().join(",")), false],
  ["one relative name less", subject(NAME.replace(",DC=com", "")), false],
  ["one relative name more", subject(`${NAME},C=US`), false],
  ["a relative name split in two", subject(NAME.replace("OU=b+UID=jo", "OU=b,UID=jo")), false],
  ["two relative names joined", subject(NAME.replace("C=US,DC", "C=US+DC")), false],
  ["a part of a multi-valued one", subject(NAME.replace("OU=b+UID=jo", "OU=b")), false],
  [
    "a multi-valued one with a repetition",
    subject(NAME.replace("OU=b+UID=jo", "OU=b+OU=b")),
    false,
  ],
  ["another letter case in a value", subject(NAME.replace("Acme", "ACME")), false],
  ["another number of spaces in a value", subject(NAME.replace("R \\+ D", "R  \\+ D")), false],
  ["an escaped trailing space", subject(`${NAME}\\ `), false],
  ["another type with the same value", subject(NAME.replace("E=jo@", "UID=jo@")), false],
  [
    "a value of another type",
    subject(NAME.replace("odd", "").replace("#0c036f6464", "#04036f6464")),
    false,
  ],
  ["an empty value", subject(NAME.replace("GN=Jo", "GN=")), false],
  ["the issuer", key("x509Issuer", NAME), true],
  ["another issuer", key("x509Issuer", "CN=a"), false],
  ["the serial number", key("x509Serial", "0A0BFF"), true],
  ["the serial number in lower case", key("x509Serial", "0a0bff"), true],
  ["the serial number without leading zeros", key("x509Serial", "A0BFF"), true],
  ["the serial number with more of them", key("x509Serial", "00000A0BFF"), true],
  ["the serial number with colons", key("x509Serial", "0a:0B:ff"), true],
  ["the serial number with colons and one digit", key("x509Serial", "a:0b:ff"), true],
  ["the serial number with spaces", key("x509Serial", "0a 0b ff"), true],
  ["another serial number", key("x509Serial", "0A0BFE"), false],
  ["the serial number, negative", key("x509Serial", "-0A0BFF"), false],
  ["the serial number in decimal", key("x509Serial", "658431"), false],
  ["SHA-1 as openssl prints it", key("x509Thumbprint", SHA1), true],
  ["SHA-1 in lower case", key("x509Thumbprint", SHA1.replaceAll(":", "").toLowerCase()), true],
  [
    "SHA-1 copied from a Windows dialog",
    key("x509Thumbprint", `\u200e${SHA1.replaceAll(":", " ").toLowerCase()}`),
    true,
  ],
  ["SHA-256", key("x509Thumbprint", SHA256), true],
  ["another SHA-256", key("x509Thumbprint", "00".repeat(32)), false],
  ["a DNS name in any case", key("x509San", "dns:host.example.COM"), true],
  ["a part of a DNS name", key("x509San", "DNS:example.com"), false],
  ["a DNS name as a URI", key("x509San", "URI:dns:host.example.com"), false],
  ["an address, its host in any case", key("x509San", "email:Jo.Doe@example.COM"), true],
  ["an address with another name", key("x509San", "email:jo.doe@example.com"), false],
  ["a URI", key("x509San", "URI:spiffe://example.com/ns/a"), true],
  ["a URI in another case", key("x509San", "URI:spiffe://example.com/ns/A"), false],
  ["an IPv4 address", key("x509San", "IP:192.0.2.1"), true],
  ["another IPv4 address", key("x509San", "IP:192.0.2.10"), false],
  ["an IPv6 address", key("x509San", "IP:2001:DB8:0::0:1"), true],
  ["a user principal name", key("x509San", "UPN:Jo@corp.example.com"), true],
  ["several arguments", [...key("x509Serial", "0A0BFF"), ...subject(NAME)], true],
  ["several in one argument", [
    `${subject(NAME)} ${key("x509Issuer", NAME)}  ${key("x509Serial", "0A0BFF")}`,
  ], true],
  ["a comma after a space within a value", [
    `Key=x509Subject,Value=${NAME.replaceAll(/(?<!\\),/g, ", ")} Key=x509Serial,Value=A0BFF`,
  ], true],
  ["several of which one differs", [...key("x509Serial", "0A0BFE"), ...subject(NAME)], false],
];

for (const [what, args, matches] of RIGHT) {
  Deno.test(`matchesSelector() is ${matches} when the selector has ${what}`, async () => {
    const selector = parseSelector(readSelectorArguments(args));
    assertEquals(await matchesSelector(selector, certificate), matches);
  });
}

/** Invalid selectors, and a part of the message. */
const WRONG: [args: string[], message: string][] = [
  [[""], 'does not begin with "Key="'],
  [["CN=a"], 'does not begin with "Key="'],
  [["key=x509Subject,Value=CN=a"], 'does not begin with "Key="'],
  [["Key=x509Subject,Value=CN=My", "Name"], '"Name" does not begin'],
  [["Key=x509Subject"], 'has no ",Value="'],
  [["Key=x509Subject,value=CN=a"], 'has no ",Value="'],
  [["Key=x509Subject Value=CN=a"], 'has no ",Value="'],
  [["Key=x509Subject,Value=CN=a,Key=x509Serial,Value=0A"], "x509Subject"],
  [["Key=,Value=CN=a"], 'unknown key ""'],
  [["Key=x509subject,Value=CN=a"], 'unknown key "x509subject"'],
  [["Key=Subject,Value=CN=a"], "the keys are x509Subject, x509Issuer, x509Serial"],
  [["Key=x509Subject,Value=CN=a", "Key=x509Subject,Value=CN=a"], "duplicate key x509Subject"],
  [["Key=x509Serial,Value=1 Key=x509Serial,Value=1"], "duplicate key x509Serial"],
  [["Key=x509Subject,Value="], "x509Subject: the value is empty"],
  [["Key=x509Serial,Value= "], "x509Serial: the value is empty"],
  [["Key=x509Subject,Value=a"], "x509Subject: a part does not begin with an attribute"],
  [["Key=x509Subject,Value=/CN=a/O=b"], "write CN=…,O=…"],
  [["Key=x509Subject,Value=CN=a,"], "an attribute is missing"],
  [["Key=x509Subject,Value=,CN=a"], "an attribute is missing"],
  [["Key=x509Subject,Value=CN=a+"], "an attribute is missing"],
  [["Key=x509Subject,Value=CN=Acme, Inc."], "a part does not begin with an attribute"],
  [["Key=x509Subject,Value=XX=a"], "a part does not begin with an attribute"],
  [["Key=x509Subject,Value=2.5.4.03=a"], "does not begin with an attribute"],
  [["Key=x509Subject,Value=3.1=a"], "does not begin with an attribute"],
  [["Key=x509Subject,Value=CN=#"], 'after "#" is not the hex'],
  [["Key=x509Subject,Value=CN=#0c0"], 'after "#" is not the hex'],
  [["Key=x509Subject,Value=CN=#0c0261"], 'after "#" is not the hex'],
  [["Key=x509Subject,Value=CN=#0c016161"], 'after "#" is not the hex'],
  [["Key=x509Subject,Value=CN=#hash"], 'after "#" is not the hex'],
  [['Key=x509Subject,Value=CN="a'], "no closing quote"],
  [['Key=x509Subject,Value=CN="a"b'], "unexpected text after the quoted value of CN"],
  [['Key=x509Subject,Value=CN=a"b'], 'CN holds "; write \\"'],
  [["Key=x509Subject,Value=CN=a<b"], "CN holds <; write \\<"],
  [["Key=x509Subject,Value=CN=a\\"], "a backslash before neither"],
  [["Key=x509Subject,Value=CN=C:\\x"], "a backslash before neither"],
  [["Key=x509Subject,Value=CN=\\C3"], "not UTF-8"],
  [["Key=x509Issuer,Value=nonsense"], "x509Issuer:"],
  [["Key=x509Serial,Value=alskjdfa"], "x509Serial"],
  [["Key=x509Serial,Value=0x1234"], "not a serial number in hex"],
  [["Key=x509Serial,Value=12:34:"], "not a serial number in hex"],
  [["Key=x509Serial,Value=12:3:4567"], "not a serial number in hex"],
  [["Key=x509Serial,Value=12::34"], "not a serial number in hex"],
  [["Key=x509Serial,Value=12 34 leftover"], "not a serial number in hex"],
  [["Key=x509Serial,Value=--12"], "not a serial number in hex"],
  [["Key=x509Thumbprint,Value=0102"], "not a thumbprint in hex"],
  [[`Key=x509Thumbprint,Value=${"zz".repeat(20)}`], "not a thumbprint in hex"],
  [[`Key=x509Thumbprint,Value=${"0".repeat(41)}`], "not a thumbprint in hex"],
  [["Key=x509San,Value=host.example.com"], "write one as DNS:"],
  [["Key=x509San,Value=DNS:"], "write one as DNS:"],
  [["Key=x509San,Value=DNS:ü.example"], "write one as DNS:"],
  [["Key=x509San,Value=IP:192.0.2.256"], "write one as DNS:"],
  [["Key=x509San,Value=IP:2001:db8::g"], "write one as DNS:"],
  [["Key=x509San,Value=IP:1::2::3"], "write one as DNS:"],
  [["Key=x509San,Value=URI:path"], "write one as DNS:"],
  [["Key=x509San,Value=email:jo"], "write one as DNS:"],
  [["Key=x509San,Value=constructor:a"], "write one as DNS:"],
];

for (const [args, message] of WRONG) {
  Deno.test(`parseSelector() throws SelectorError when the selector is ${JSON.stringify(args)}`, () => {
    const error = assertThrows(() => parseSelector(readSelectorArguments(args)), SelectorError);
    assertStringIncludes(error.message, message);
  });
}

/** Invalid JSON texts, and a part of the message. */
const WRONG_JSON: [text: string, message: string][] = [
  ["", "not JSON"],
  ["{}", "not an array"],
  ['"Key"', "not an array"],
  ["[]", "holds no key"],
  ["[1]", "entry 1 is not an object"],
  ["[null]", "entry 1 is not an object"],
  ['[{"Key":"x509Serial"}]', "entry 1 must have the members"],
  ['[{"Key":"x509Serial","Value":12}]', "entry 1 must have the members"],
  ['[{"key":"x509Serial","value":"12"}]', "entry 1 must have the members"],
  ['[{"Key":"x509Serial","Value":"12","Other":1}]', "and no others"],
  [
    '[{"Key":"x509Serial","Value":"12"},{"Key":"x509Serial","Value":"12"}]',
    "duplicate key x509Serial",
  ],
  ['[{"Key":"serial","Value":"12"}]', 'unknown key "serial"'],
  ['[{"Key":"__proto__","Value":"12"}]', 'unknown key "__proto__"'],
];

for (const [text, message] of WRONG_JSON) {
  Deno.test(`readSelectorJson() throws SelectorError when the text is ${text}`, () => {
    const error = assertThrows(() => readSelectorJson(text), SelectorError);
    assertStringIncludes(error.message, message);
  });
}

Deno.test("readSelectorJson() keeps spaces and commas of names", async () => {
  const json = JSON.stringify([
    { Value: NAME, Key: "x509Subject" },
    { Key: "x509Serial", Value: "0a:0b:ff" },
  ]);
  assert(await matchesSelector(parseSelector(readSelectorJson(json)), certificate));
});

testWithReference(
  "selectors",
  [],
  "readSelectorJson() takes and refuses selector files like AWS's own",
  (folder) => {
    const names = Array.from(Deno.readDirSync(folder.path), ({ name }) => name);
    const valid = names.filter((name) => name.startsWith("valid"));
    assertEquals([valid.length, names.length], [2, 6]);
    for (const name of names) {
      const text = Deno.readTextFileSync(folder.join(name));
      const read = () => parseSelector(readSelectorJson(text));
      if (!valid.includes(name)) {
        assertThrows(read, SelectorError);
        continue;
      }
      const entries: { Key: string; Value: string }[] = JSON.parse(text);
      const serial = entries.find(({ Key }) => Key === "x509Serial")?.Value ?? "";
      assertEquals(serial.length, 40);
      assertEquals(read().serialNumber, BigInt(`0x${serial}`));
    }
  },
);

Deno.test("matchesSelector() rejects a certificate whose alternative names are malformed", async () => {
  const broken = { ...certificate, subjectAlternativeName: new Uint8Array([0x30, 0x05, 0x82]) };
  const selector = parseSelector(readSelectorArguments(key("x509San", "DNS:host.example.com")));
  assertEquals(await matchesSelector(selector, broken), false);
  const { subjectAlternativeName: _, ...none } = certificate;
  assertEquals(await matchesSelector(selector, none), false);
  const named = parseSelector(readSelectorArguments(subject(NAME)));
  await assertRejects(() => matchesSelector(named, { ...certificate, subject: new Uint8Array(3) }));
});
