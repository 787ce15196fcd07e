import { createCipheriv, createHmac, pbkdf2Sync } from "node:crypto";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { HelperError } from "../../../src/errors.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { readElement, readElements, writeElement } from "../../support/der.ts";
import { openssl } from "../../support/openssl.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { toIndefinite } from "./indefinite.ts";
import {
  certificateOf,
  openKeyFile,
  passphraseContext,
  readCertificateFile,
} from "./keystore_context.ts";

const PASSPHRASE = "x";

Deno.test("openKey() puts the certificate of the key first when a PKCS#12 file holds a chain", async () => {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=root" });
  const middle = await issueCertificate(root, { subject: "/CN=middle", ca: true });
  const leaf = await issueCertificate(middle, { subject: "/CN=leaf" });
  // openssl writes the certificate of the key first; -certfile certificates follow.
  const pems = directory.write("all.pem", root.certificatePem + middle.certificatePem);
  for (const options of [[], ["-legacy"]]) {
    const path = directory.join("identity.p12");
    // deno-fmt-ignore
    await openssl([
      "pkcs12", "-export", ...options, "-inkey", leaf.keyPath, "-in", leaf.certificatePath,
      "-certfile", pems, "-passout", "pass:x", "-out", path,
    ]);
    const context = passphraseContext("x");
    await using signer = await openKeyFile(path, context);
    const expected = [leaf, root, middle].map(({ certificatePem }) =>
      certificateOf(certificatePem).encoded
    );
    assertEquals(signer.certificates.map(({ encoded }) => encoded), expected);
    const certificates = await readCertificateFile(path, context);
    assertEquals(certificates.map(({ encoded }) => encoded), expected);
  }
});

Deno.test("openKey() reads a PKCS#12 file when it is BER with indefinite lengths", async () => {
  using directory = new TemporaryDirectory();
  const { keyPath, certificatePath } = await createAuthority(directory, { subject: "/CN=a" });
  const pair = ["-inkey", keyPath, "-in", certificatePath, "-passout", `pass:${PASSPHRASE}`];
  const path = directory.join("der.p12");
  for (const options of [[], ["-legacy"], ["-nomac"], ["-keypbe", "NONE", "-certpbe", "NONE"]]) {
    await openssl(["pkcs12", "-export", ...options, ...pair, "-out", path]);
    const ber = directory.write("ber.p12", toIndefinite(await Deno.readFile(path)));
    if (!options.includes("-nomac")) { // openssl reads it too
      const reading = ["-passin", `pass:${PASSPHRASE}`, "-noout", "-provider", "legacy"];
      await openssl(["pkcs12", "-in", ber, ...reading, "-provider", "default"]);
    }
    await using signer = await openKeyFile(ber, passphraseContext(PASSPHRASE));
    const [certificate] = signer.certificates;
    assert(certificate && hasPublicKey(certificate, signer.publicKey), options.join(" "));
  }
});

const OID = {
  data: "2a864886f70d010701",
  encryptedData: "2a864886f70d010706",
  pbes2: "2a864886f70d01050d",
  pbkdf2: "2a864886f70d01050c",
  pbmac1: "2a864886f70d01050e",
  hmacSha256: "2a864886f70d0209",
  aes256: "60864801650304012a",
  keyBag: "2a864886f70d010c0a0101",
  certificateBag: "2a864886f70d010c0a0103",
  secretBag: "2a864886f70d010c0a0105",
  safeContentsBag: "2a864886f70d010c0a0106",
  unknownBag: "2a864886f70d010c0a0163",
  x509Certificate: "2a864886f70d01091601",
  sdsiCertificate: "2a864886f70d01091602",
  friendlyName: "2a864886f70d010914",
  localKeyId: "2a864886f70d010915",
  microsoftLocalKeySet: "2b0601040182371102",
} as const;

const sequence = (...parts: Uint8Array[]) => writeElement(0x30, ...parts);
const octetString = (contents: Uint8Array) => writeElement(0x04, contents);
const integer = (value: number) => writeElement(0x02, Uint8Array.of(value));
/** Encodes `SEQUENCE { type, [0] value }`: a ContentInfo, a bag or a CertBag. */
const typed = (type: keyof typeof OID, value: Uint8Array) =>
  sequence(oid(type), writeElement(0xa0, value));

function oid(name: keyof typeof OID): Uint8Array<ArrayBuffer> {
  return writeElement(0x06, decodeHex(OID[name]));
}

/** Encodes EncryptedData with PBES2 for {@link PASSPHRASE}. */
function encryptedData(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
  const [salt, iv] = [new Uint8Array(8).fill(1), new Uint8Array(16).fill(2)];
  const key = pbkdf2Sync(PASSPHRASE, salt, 1, 32, "sha256");
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const ciphertext = Uint8Array.from([...cipher.update(plaintext), ...cipher.final()]);
  const cost = sequence(octetString(salt), integer(1), sequence(oid("hmacSha256")));
  const derivation = sequence(oid("pbkdf2"), cost);
  const encryption = sequence(oid("aes256"), octetString(iv));
  const algorithm = sequence(oid("pbes2"), sequence(derivation, encryption));
  return sequence(integer(0), sequence(oid("data"), algorithm, writeElement(0x80, ciphertext)));
}

/** Encodes a PKCS#12 file with these ContentInfos, by default without a MAC. */
function pfxOf(contentInfos: Uint8Array[], macData: Uint8Array[] = []): Uint8Array<ArrayBuffer> {
  const authSafe = typed("data", octetString(sequence(...contentInfos)));
  return sequence(integer(3), authSafe, ...macData);
}

/** Computes MacData with PBMAC1 (RFC 9579) over these ContentInfos for {@link PASSPHRASE}. */
function pbmac1(contentInfos: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const salt = new Uint8Array(8).fill(3);
  const key = pbkdf2Sync(PASSPHRASE, salt, 2, 32, "sha256");
  const mac = createHmac("sha256", key).update(sequence(...contentInfos)).digest();
  const hmac = sequence(oid("hmacSha256"));
  const derivation = sequence(
    oid("pbkdf2"),
    sequence(octetString(salt), integer(2), integer(32), hmac),
  );
  const algorithm = sequence(oid("pbmac1"), sequence(derivation, hmac));
  return sequence(
    sequence(algorithm, octetString(mac)),
    octetString(new Uint8Array(1)),
    integer(1),
  );
}

/** Makes a key and its certificate: their bags, and the DER in them. */
async function pairOfBags(directory: TemporaryDirectory) {
  const { keyPath, certificatePem } = await createAuthority(directory, { subject: "/CN=a" });
  const pkcs8 = await openssl(["pkcs8", "-topk8", "-nocrypt", "-in", keyPath, "-outform", "DER"]);
  const certificate = certificateOf(certificatePem);
  const certificateBag = typed("x509Certificate", octetString(certificate.encoded));
  return {
    certificate,
    key: typed("keyBag", Uint8Array.from(pkcs8)),
    bag: typed("certificateBag", certificateBag),
  };
}

Deno.test("openKey() reads a PKCS#12 file when its safes are BER, encrypted or not", async () => {
  using directory = new TemporaryDirectory();
  const { certificate, key, bag } = await pairOfBags(directory);
  const safe = toIndefinite(sequence(key, bag));
  const files = {
    "plain": pfxOf([typed("data", octetString(safe))]),
    "encrypted": pfxOf([typed("encryptedData", encryptedData(safe))]),
  };
  for (const [name, file] of Object.entries(files)) {
    const path = directory.write("safe.p12", file);
    await using signer = await openKeyFile(path, passphraseContext(PASSPHRASE));
    assert(hasPublicKey(certificate, signer.publicKey), name);
    assertEquals(signer.certificates.map(({ encoded }) => encoded), [certificate.encoded], name);
  }
});

Deno.test("openKey() checks the MAC when it is PBMAC1", async () => {
  using directory = new TemporaryDirectory();
  const { key, bag } = await pairOfBags(directory);
  const safes = [typed("data", octetString(sequence(key, bag)))];
  const path = directory.write("pbmac1.p12", pfxOf(safes, [pbmac1(safes)]));
  await using signer = await openKeyFile(path, passphraseContext(PASSPHRASE));
  assertEquals(signer.certificates.length, 1);

  const wrong = passphraseContext(`${PASSPHRASE}y`);
  const error = await assertRejects(() => openKeyFile(path, wrong), HelperError);
  assertEquals(error.code, "key-locked");
});

Deno.test("openKey() ignores other contents of a PKCS#12 file", async () => {
  using directory = new TemporaryDirectory();
  const { certificate, key, bag } = await pairOfBags(directory);
  const sdsi = typed("certificateBag", typed("sdsiCertificate", octetString(Uint8Array.of(1))));
  const secret = typed("secretBag", typed("data", octetString(Uint8Array.of(1))));
  const unknown = typed("unknownBag", integer(1));
  const nested = typed("safeContentsBag", sequence(unknown, key));
  const file = pfxOf([
    typed("data", octetString(sequence())),
    typed("data", octetString(sequence(sdsi, secret, unknown, nested, bag))),
  ]);
  await using signer = await openKeyFile(directory.write("more.p12", file));
  assert(hasPublicKey(certificate, signer.publicKey));
  assertEquals(signer.certificates.length, 1);
});

Deno.test("readCertificates() returns the certificate with the localKeyId of the key first", async () => {
  using directory = new TemporaryDirectory();
  const { certificate, key, bag } = await pairOfBags(directory);
  const other = await pairOfBags(directory);
  const attribute = (name: keyof typeof OID, ...values: Uint8Array[]) =>
    sequence(oid(name), writeElement(0x31, ...values));
  // As Windows writes them: one attribute has no value.
  const attributes = writeElement(
    0x31,
    attribute("microsoftLocalKeySet"),
    attribute("friendlyName", writeElement(0x1e, Uint8Array.of(0, 0x61))),
    attribute("localKeyId", octetString(Uint8Array.of(1, 0, 0, 0))),
  );
  const tied = (each: Uint8Array<ArrayBuffer>) =>
    sequence(...readElements(readElement(each).contents).map(({ encoded }) => encoded), attributes);
  const safe = sequence(other.bag, tied(bag), tied(key));
  const path = directory.write("tied.p12", pfxOf([typed("data", octetString(safe))]));
  const certificates = await readCertificateFile(path);
  assertEquals(
    certificates.map(({ encoded }) => encoded),
    [certificate, other.certificate].map(({ encoded }) => encoded),
  );
});

Deno.test("openKey() names the type of a key in a PKCS#12 file when it cannot be used", async () => {
  using directory = new TemporaryDirectory();
  const pem = directory.join("key.pem");
  const kinds: Readonly<Record<string, readonly string[]>> = {
    "Ed25519": ["-algorithm", "ED25519"],
    "explicit curve parameters": [
      ...["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ...["-pkeyopt", "ec_param_enc:explicit"],
    ],
  };
  for (const [message, args] of Object.entries(kinds)) {
    await openssl(["genpkey", ...args, "-out", pem]);
    const pkcs8 = await openssl(["pkcs8", "-topk8", "-nocrypt", "-in", pem, "-outform", "DER"]);
    const safe = sequence(typed("keyBag", pkcs8));
    const path = directory.write("key.p12", pfxOf([typed("data", octetString(safe))]));
    const error = await assertRejects(() => openKeyFile(path), HelperError);
    assertEquals(error.code, "key-unsupported");
    assertStringIncludes(error.message, message);
  }
});

Deno.test("openKey() reports a damaged PKCS#12 file when an element is longer than its parent", async () => {
  using directory = new TemporaryDirectory();
  const { key, bag } = await pairOfBags(directory);
  const safe = sequence(key, bag);
  const shortened = Uint8Array.from(safe);
  shortened[3] = (shortened[3] ?? 0) - 1; // the last byte of its length
  for (const [contents, code] of [[safe, "opened"], [shortened, "key-format"]] as const) {
    const path = directory.write("short.p12", pfxOf([typed("data", octetString(contents))]));
    const outcome = await openKeyFile(path).then(
      (signer) => signer[Symbol.asyncDispose]().then(() => "opened"),
      (error) => error instanceof HelperError ? error.code : error,
    );
    assertEquals(outcome, code);
  }
});

Deno.test("openKey() reports a damaged PKCS#12 file when its MAC has the wrong length", async () => {
  using directory = new TemporaryDirectory();
  const { keyPath, certificatePath } = await createAuthority(directory, { subject: "/CN=a" });
  const path = directory.join("identity.p12");
  const pair = ["-inkey", keyPath, "-in", certificatePath, "-passout", `pass:${PASSPHRASE}`];
  await openssl(["pkcs12", "-export", "-macalg", "sha256", ...pair, "-out", path]);
  const [sha256, sha512] = ["0609608648016503040201", "0609608648016503040203"];
  const hex = encodeHex(await Deno.readFile(path));
  const at = hex.lastIndexOf(sha256);
  const changed = hex.slice(0, at) + sha512 + hex.slice(at + sha512.length);
  await Deno.writeFile(path, decodeHex(changed));
  const context = passphraseContext(PASSPHRASE);
  const error = await assertRejects(() => openKeyFile(path, context), HelperError);
  assertEquals(error.code, "key-format");
  assertStringIncludes(error.message, "MAC of wrong length");
});

Deno.test("no file of the keystore imports pkijs or asn1js at load time", () => {
  const folder = new URL("../../../plugins/file/", import.meta.url);
  const importing: string[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    const text = Deno.readTextFileSync(new URL(name, folder));
    if (!/"(pkijs|asn1js)"/.test(text)) continue;
    importing.push(name);
    for (const line of text.split("\n").filter((each) => /"(pkijs|asn1js)"/.test(each))) {
      assert(/^import type .*;$/.test(line) || /\bimport\("/.test(line), `${name}: ${line}`);
    }
  }
  assert(importing.includes("pkcs12_structure.ts"), "no file loads the packages");
});
