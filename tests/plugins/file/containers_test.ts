import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { keystore } from "../../../plugins/file/mod.ts";
import { HelperError } from "../../../src/errors.ts";
import { parseKeystoreUri, TSS2_KEYS } from "../../../src/keystore/uri.ts";
import { hasPublicKey } from "../../../src/x509/chain.ts";
import { formatPem, parsePem } from "../../../src/x509/pem.ts";
import { createAuthority, generateKey, issueCertificate } from "../../support/certificates.ts";
import { readElement, readElements, writeElement } from "../../support/der.ts";
import { testWith } from "../../support/needs.ts";
import { openssl } from "../../support/openssl.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { scriptedContext } from "../../support/scripted_context.ts";
import { certificateOf, openKeyFile, readCertificateFile } from "./keystore_context.ts";

Deno.test("openKey() and readCertificates() read PEM however a text editor wrote it", async () => {
  using directory = new TemporaryDirectory();
  const { keyPem, certificatePem } = await createAuthority(directory, { subject: "/CN=a" });
  const text = `${certificatePem}${keyPem}`;
  const utf16 = (littleEndian: boolean) => {
    const bytes = new Uint8Array(2 * (text.length + 1));
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0xfeff, littleEndian);
    for (let i = 0; i < text.length; i++) {
      view.setUint16(2 * i + 2, text.charCodeAt(i), littleEndian);
    }
    return bytes;
  };
  const writings: Readonly<Record<string, string | Uint8Array>> = {
    "as openssl writes it": text,
    "Windows line endings": text.replaceAll("\n", "\r\n"),
    "old Mac line endings": text.replaceAll("\n", "\r"),
    "no last line ending": text.trimEnd(),
    "indented": text.replaceAll(/^/gm, "   "),
    "text around the blocks":
      `0 subject=é\n${keyPem}\nBag Attributes: <none>\n${certificatePem}end`,
    "other blocks": formatPem("PUBLIC KEY", Uint8Array.of(1)) +
      formatPem("CERTIFICATE REQUEST", Uint8Array.of(2)) + text +
      formatPem("X509 CRL", Uint8Array.of(3)) + formatPem("DH PARAMETERS", Uint8Array.of(4)),
    "a UTF-8 byte order mark": `\ufeff${text}`,
    "UTF-16, little endian": utf16(true),
    "UTF-16, big endian": utf16(false),
    "the older label": text.replaceAll("CERTIFICATE", "X509 CERTIFICATE"),
  };
  for (const [name, contents] of Object.entries(writings)) {
    const path = directory.write("combined.pem", contents);
    await using signer = await openKeyFile(path);
    const [certificate] = await readCertificateFile(path);
    assert(hasPublicKey(certificate, signer.publicKey), name);
    assertEquals(signer.certificates.map(({ encoded }) => encoded), [certificate.encoded], name);
  }
});

Deno.test("readCertificates() takes the certificate out of a TRUSTED CERTIFICATE", async () => {
  using directory = new TemporaryDirectory();
  const { certificatePath, certificatePem } = await createAuthority(directory, {
    subject: "/CN=a",
  });
  const path = directory.join("trusted.pem");
  // deno-fmt-ignore
  await openssl(["x509", "-in", certificatePath, "-trustout", "-addtrust", "clientAuth", "-out", path]);
  const [certificate] = await readCertificateFile(path);
  assertEquals(certificate.encoded, certificateOf(certificatePem).encoded);
});

Deno.test("readCertificates() keeps the order of a full chain, and reads DER", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=root" });
  const leaf = await issueCertificate(authority, { subject: "/CN=leaf" });
  const chain = directory.write("chain.pem", leaf.certificatePem + authority.certificatePem);
  const certificates = await readCertificateFile(chain);
  assertEquals(
    certificates.map(({ encoded }) => encoded),
    [leaf, authority].map(({ certificatePem }) => certificateOf(certificatePem).encoded),
  );
  const der = directory.write("leaf.der", certificateOf(leaf.certificatePem).encoded);
  assertEquals((await readCertificateFile(der)).length, 1);
});

Deno.test("openKey() takes the curve from an EC PARAMETERS block when the key does not name it", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("key.pem");
  await openssl(["ecparam", "-name", "secp384r1", "-genkey", "-out", path]);
  const blocks = parsePem(await Deno.readTextFile(path));
  assertEquals(blocks.map(({ label }) => label), ["EC PARAMETERS", "EC PRIVATE KEY"]);
  await using whole = await openKeyFile(path);

  const [parameters, key] = blocks.map(({ bytes }) => Uint8Array.from(bytes));
  if (!parameters || !key) throw new Error("expected two blocks");
  const fields = readElements(readElement(key).contents).filter(({ tag }) => tag !== 0xa0);
  const bare = writeElement(0x30, ...fields.map(({ encoded }) => encoded));
  const text = formatPem("EC PARAMETERS", parameters) + formatPem("EC PRIVATE KEY", bare);
  await using split = await openKeyFile(directory.write("split.pem", text));
  assertEquals(split.publicKey, whole.publicKey);

  const onlyKey = directory.write("only_key.pem", formatPem("EC PRIVATE KEY", bare));
  const error = await assertRejects(() => openKeyFile(onlyKey), HelperError);
  assertEquals(error.code, "key-format");
  assertStringIncludes(error.message, "does not name its curve");
});

Deno.test("openKey() pads an EC key when its writer left out leading zero bytes", async () => {
  using directory = new TemporaryDirectory();
  const oid = Uint8Array.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7);
  const curve = writeElement(0xa0, writeElement(0x06, oid));
  const version = writeElement(0x02, Uint8Array.of(1));
  const scalar = Uint8Array.of(0x12, 0x34);
  const padded = new Uint8Array(32);
  padded.set(scalar, 30);
  const write = (name: string, key: Uint8Array) =>
    directory.write(name, writeElement(0x30, version, writeElement(0x04, key), curve));
  await using short = await openKeyFile(write("short.der", scalar));
  await using long = await openKeyFile(write("long.der", padded));
  assertEquals(short.publicKey, long.publicKey);
  // deno-fmt-ignore
  const judged = await openssl(["pkey", "-inform", "DER", "-in", directory.join("long.der"), "-pubout", "-outform", "DER"]);
  assertEquals(short.publicKey.encoded, judged);

  for (
    const bad of [new Uint8Array(32), new Uint8Array(32).fill(0xff), new Uint8Array(33).fill(1)]
  ) {
    const error = await assertRejects(() => openKeyFile(write("bad.der", bad)), HelperError);
    assertEquals(error.code, "key-format");
  }
});

Deno.test("openKey() finds the selected key when a file holds several", async () => {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=root" });
  const leaf = await issueCertificate(authority, { subject: "/CN=leaf" });
  const certificate = certificateOf(leaf.certificatePem);
  const other = await generateKey("ec-p256");
  const ed25519 = new TextDecoder().decode(await openssl(["genpkey", "-algorithm", "ED25519"]));
  const locked = directory.join("locked.pem");
  await openssl(["pkcs8", "-topk8", "-in", leaf.keyPath, "-passout", "pass:x", "-out", locked]);
  const lockedPem = await Deno.readTextFile(locked);

  const several = directory.write("several.pem", other + ed25519 + leaf.keyPem);
  await using selected = await openKeyFile(several, undefined, certificate);
  assert(hasPublicKey(certificate, selected.publicKey));

  const within = directory.write("within.pem", other + leaf.keyPem + leaf.certificatePem);
  await using found = await openKeyFile(within);
  assert(hasPublicKey(certificate, found.publicKey));

  const twice = directory.write("twice.pem", leaf.keyPem + leaf.keyPem);
  await using same = await openKeyFile(twice);
  assert(hasPublicKey(certificate, same.publicKey));

  const lockedToo = directory.write("locked-too.pem", lockedPem + leaf.keyPem);
  const context = scriptedContext({ answers: ["x"] });
  await using plain = await openKeyFile(lockedToo, context, certificate);
  assert(hasPublicKey(certificate, plain.publicKey));
  assertEquals(context.questions, [], "the passphrase of a key that is not needed");

  const twoLocked = directory.write("two-locked.pem", lockedPem + lockedPem + leaf.certificatePem);
  const once = scriptedContext({ answers: ["x"] });
  await using unlocked = await openKeyFile(twoLocked, once);
  assert(hasPublicKey(certificate, unlocked.publicKey));
  assertEquals(once.questions.length, 1, "one passphrase, asked for once");
});

Deno.test("openKey() names the number of keys when none is selected", async () => {
  using directory = new TemporaryDirectory();
  const { certificatePem } = await createAuthority(directory, { subject: "/CN=a" });
  const two = await generateKey("ec-p256") + await generateKey("ec-p256");
  const path = directory.write("two.pem", two);
  const error = await assertRejects(() => openKeyFile(path), HelperError);
  assertEquals(error.code, "key-format");
  assertStringIncludes(error.message, "holds 2 private keys");

  const certificate = certificateOf(certificatePem);
  const none = await assertRejects(() => openKeyFile(path, undefined, certificate), HelperError);
  assertEquals(none.code, "key-mismatch");
});

Deno.test("openKey() returns a reference to a TSS2 PRIVATE KEY unless another key is selected", async () => {
  using directory = new TemporaryDirectory();
  const { keyPem, certificatePem } = await createAuthority(directory, { subject: "/CN=a" });
  const der = Uint8Array.of(0x30, 0);
  const tss2 = formatPem("TSS2 PRIVATE KEY", der);
  const open = (text: string) => {
    const path = directory.write("key.pem", text);
    return keystore.openKey(parseKeystoreUri(path, "--private-key"), scriptedContext());
  };
  for (
    const [text, keys, certificates] of [
      [tss2, [der], []],
      [tss2 + certificatePem, [der], [certificateOf(certificatePem)]],
      [tss2 + keyPem, [der], []],
      [tss2 + tss2, [der, der], []],
    ] as const
  ) {
    const opened = await open(text);
    if (!("target" in opened)) throw new Error("not a reference");
    const { scheme, displayName: label, path, attributes } = opened.target;
    assertEquals([scheme, label, path], ["handle", directory.join("key.pem"), ""]);
    assertEquals([...attributes.keys()], [TSS2_KEYS]);
    assertEquals([...attributes.get(TSS2_KEYS) ?? []], keys.flatMap((key) => [...key]));
    assertEquals(opened.certificates, certificates);
  }
  const opened = await open(tss2 + keyPem + certificatePem);
  if (!("sign" in opened)) throw new Error("a reference");
  await opened[Symbol.asyncDispose]();
});

Deno.test("openSoftwareKey() opens one private key, PEM or DER, and wipes its input", async () => {
  using directory = new TemporaryDirectory();
  const { keyPem, certificatePem } = await createAuthority(directory, { subject: "/CN=a" });
  const der = parsePem(keyPem)[0]?.bytes ?? new Uint8Array(0);
  for (const form of [der, new TextEncoder().encode(keyPem)]) {
    const contents = Uint8Array.from(form);
    await using signer = await keystore.openSoftwareKey(contents, "sealed.pem", scriptedContext());
    assert(hasPublicKey(certificateOf(certificatePem), signer.publicKey));
    assertEquals(signer.certificates, []);
    assert(contents.every((byte) => byte === 0), "not wiped");
  }
});

Deno.test("openSoftwareKey() throws key-format and wipes when the input has no key, or several", async () => {
  using directory = new TemporaryDirectory();
  const { keyPem, certificatePem } = await createAuthority(directory, { subject: "/CN=a" });
  const tss2 = formatPem("TSS2 PRIVATE KEY", Uint8Array.of(0x30, 0));
  for (const text of ["correct horse battery staple", certificatePem, keyPem + keyPem, tss2]) {
    const contents = new TextEncoder().encode(text);
    const error = await assertRejects(
      () => keystore.openSoftwareKey(contents, "sealed.pem", scriptedContext()),
      HelperError,
      "sealed.pem",
    );
    assertEquals(error.code, "key-format");
    assertEquals(error.message.includes("horse"), false);
    assert(contents.every((byte) => byte === 0), "not wiped");
  }
});

testWith(["linux"], "openKey() reads a named pipe and /dev/fd/N to their end", async () => {
  using directory = new TemporaryDirectory();
  const key = directory.write("key.pem", await generateKey("ec-p256"));
  const pipe = directory.join("pipe");
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  // Another process writes, as opening either end of a pipe waits for the other.
  const script = 'head -c 20 "$1"; sleep 0.05; tail -c +21 "$1"';
  await using writer = new Deno.Command("sh", {
    args: ["-c", `{ ${script}; } > "$2"`, "sh", key, pipe],
  }).spawn();
  await using signer = await openKeyFile(pipe);
  assert((await writer.status).success);
  assertEquals(signer.publicKey.keyType, "EC");

  using _file = await Deno.open(key);
  const mine = Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => name).find((descriptor) =>
    isSameFile(`/dev/fd/${descriptor}`, key)
  );
  await using again = await openKeyFile(`/dev/fd/${mine}`);
  assertEquals(again.publicKey, signer.publicKey);
});

function isSameFile(link: string, path: string): boolean {
  try {
    return Deno.realPathSync(link) === path;
  } catch {
    return false; // the descriptor that listed the directory, now closed
  }
}
