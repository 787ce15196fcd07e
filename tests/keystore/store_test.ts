import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { parseStoreUri } from "../../src/keystore/os_store/uri.ts";
import {
  chooseStored,
  listStored,
  parseStored,
  selectStored,
} from "../../src/keystore/os_store/certificates.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { selfSigned } from "../x509/test_certificates.ts";
import { NO_CONTEXT, scriptedContext } from "../support/scripted_context.ts";

const parse = (text: string, settings: string[] = []) =>
  parseStoreUri(parseKeystoreUri(text, "--certificate"), settings);

const LATEST = scriptedContext({ switches: ["use-latest-expiring-certificate"] });

/** Certificates of one subject that expire after so many days, each in its own copy. */
async function stored(...days: number[]) {
  return await Promise.all(days.map(async (count, i) => ({
    certificate: parseCertificate(
      await selfSigned("-subj", "/CN=a", "-days", String(count), "-set_serial", String(i + 1)),
    ),
  })));
}

const uri = parseKeystoreUri("cng:x509Subject=CN%3Da", "--certificate");

Deno.test("parseStoreUri() reads the keys of selectors and the store's own attributes", async () => {
  const text = "cng:x509Subject=CN%3Da%3BOU%3Db,O=%C3%BC;x509Serial=0a;store-name=WebHosting";
  const { selector, settings } = parse(text, ["store-name"]);
  assertEquals(selector.serialNumber, 10n);
  assertEquals(selector.subject?.length, 3); // a semicolon separates like a comma
  assertEquals([...settings], [["store-name", "WebHosting"]]);
  assertEquals(Object.keys(parse("keychain:").selector), []);
  const matches = await selectStored(await stored(1), parse("keychain:").selector);
  assertEquals(matches.length, 1);
});

const WRONG: [string, string][] = [
  ["cng:subject=CN%3Da", 'unknown attribute "subject"; the attributes are x509Subject'],
  ["cng:x509Serial=xyz", "x509Serial:"],
  ["cng:x509Subject=%ff", 'the value of "x509Subject" is not UTF-8'],
  ["cng:x509Subject=CN%3Da?pin-value=1", 'has no "?"'],
  ["keychain:store-name=MY", 'unknown attribute "store-name"'],
];

for (const [text, words] of WRONG) {
  Deno.test(`parseStoreUri() throws usage when the URI is ${text}`, () => {
    const error = assertThrows(() => parse(text), HelperError, words);
    assertEquals([error.code, error.message.includes("pin-value=1")], ["usage", false]);
  });
}

Deno.test("parseStored() skips a certificate that cannot be read, with a message under --debug", async () => {
  const { encoded } = (await stored(1))[0]?.certificate ?? { encoded: new Uint8Array() };
  const said: string[] = [];
  assert(parseStored(encoded, (words) => said.push(words)));
  assertEquals(said, []);
  assertEquals(parseStored(encoded.subarray(1), (words) => said.push(words)), undefined);
  assertStringIncludes(said.join(), "skipped");
});

Deno.test("selectStored() returns each certificate once, in one order for any order of the store", async () => {
  const all = await stored(3, 1, 2);
  const twice = [...all, ...all.map(({ certificate }) => ({ certificate }))];
  const { selector } = parse("cng:");
  const forwards = await selectStored(twice, selector);
  const backwards = await selectStored(twice.toReversed(), selector);
  assertEquals(forwards.length, 3);
  assertEquals(
    forwards.map((item) => item.certificate.encoded),
    backwards.map((item) => item.certificate.encoded),
  );
});

Deno.test("chooseStored() takes the only one, or the one that expires last if the flag asks for it", async () => {
  const [short, long, middle] = await stored(1, 3, 2);
  assert(short && long && middle);
  assertEquals(chooseStored([short], uri, NO_CONTEXT), short);
  assertEquals(chooseStored([short, long, middle], uri, LATEST), long);
});

Deno.test("chooseStored() takes the one valid later when two expire together, and refuses a tie", async () => {
  const [early, late] = await stored(1, 1);
  assert(early && late);
  const notAfter = new Date(1e12);
  const at = (item: typeof early, notBefore: number) => ({
    certificate: { ...item.certificate, notAfter, notBefore: new Date(notBefore) },
  });
  const [first, second] = [at(early, 1), at(late, 2)];
  assertEquals(chooseStored([first, second], uri, LATEST), second);
  assertThrows(
    () => chooseStored([first, at(late, 1)], uri, LATEST),
    HelperError,
    "2 certificates",
  );
});

Deno.test("chooseStored() throws key-not-found naming the source when none or several match", async () => {
  const none = assertThrows(() => chooseStored([], uri, NO_CONTEXT), HelperError, uri.displayName);
  assertEquals(none.code, "key-not-found");
  assertStringIncludes(none.message, "read-certificate-data --certificate cng:");
  const several = await stored(1, 2);
  const error = assertThrows(() => chooseStored(several, uri, NO_CONTEXT), HelperError, "CN=a");
  assertEquals(error.code, "key-not-found");
});

Deno.test("listStored() returns a selector that names one certificate of the whole store", async () => {
  const [first, second] = await stored(1, 2);
  assert(first && second);
  const twin = { certificate: { ...first.certificate, encoded: second.certificate.encoded } };
  const { selector } = parse(`cng:x509Serial=1`);
  const listed = await listStored([first, first, twin], selector);
  assertEquals(listed.length, 2);
  for (const { selector: text = "" } of listed) assertStringIncludes(text, "x509Thumbprint");
  const alone = await listStored([first, first, second], selector);
  assertEquals(alone.map(({ selector: text }) => text?.includes("x509Thumbprint")), [false]);
});

Deno.test("selectStored() rejects names that are malformed, which parseStored() never lets through", async () => {
  const [one] = await stored(1);
  assert(one);
  const broken = [{ certificate: { ...one.certificate, subject: new Uint8Array(2) } }];
  await assertRejects(() => selectStored(broken, parse("cng:").selector));
});

Deno.test("chooseStored() takes the renewal that is valid now and expires last, without the flag", async () => {
  const [item] = await stored(1);
  assert(item);
  const day = 24 * 3_600_000;
  const renewal = (from: number, to: number) => ({
    certificate: {
      ...item.certificate,
      notBefore: new Date(Date.now() + from * day),
      notAfter: new Date(Date.now() + to * day),
    },
  });
  const [expired, valid, future] = [renewal(-9, -1), renewal(-1, 9), renewal(1, 99)];
  for (const order of [[expired, valid, future], [future, valid, expired]]) {
    assertEquals(chooseStored(order, uri, NO_CONTEXT), valid);
  }
});
