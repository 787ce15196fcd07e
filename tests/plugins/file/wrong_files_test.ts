import { assert, assertLess, assertStringIncludes } from "@std/assert";
import { decodeHex } from "@std/encoding/hex";
import { SourceError } from "../../../src/files/source_error.ts";
import { MAX_FILE_BYTES, readKeyFile } from "../../../plugins/file/read_file.ts";
import { NO_CONTEXT } from "../../support/scripted_context.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { encodeElement, encodeSequence, readSequence, TAG } from "../../../src/x509/der.ts";
import { formatPem } from "../../../src/x509/pem.ts";
import { createAuthority, generateKey } from "../../support/certificates.ts";
import { writeElement } from "../../support/der.ts";
import { openssl } from "../../support/openssl.ts";
import { encodeRsaKey, PRIMES } from "../../support/rsa_numbers.ts";
import { refusal } from "../../support/refusal.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { openKeyFile, passphraseContext, readCertificateFile } from "./keystore_context.ts";
import { cpuTime } from "../../support/cpu_time.ts";

async function assertRefused(
  work: () => Promise<unknown>,
  path: string,
  code: ErrorCode,
  expected: string,
): Promise<void> {
  const message = await refusal(work, code);
  assertStringIncludes(message, path);
  assertStringIncludes(message, expected);
  assert(!message.includes("\n"), "more than one line");
}

/** Files without a usable key, made without openssl: contents, code, part of the message. */
const CONTENTS: readonly (readonly [string | Uint8Array, ErrorCode, string])[] = [
  ["", "key-format", "is empty"],
  ["hello\n", "key-format", "neither PEM nor DER"],
  [new Uint8Array(5000).fill(0xa5), "key-format", "neither PEM nor DER"],
  [Uint8Array.of(0x30, 0x82, 0x01), "key-format", "neither PEM nor DER"],
  [new Uint8Array(MAX_FILE_BYTES + 1), "key-format", "larger than 4 MiB"],
  ["-----BEGIN PRIVATE KEY-----\nMII=\n", "key-format", "no end line"],
  ["-----BEGIN PRIVATE KEY-----\n%%%%\n-----END PRIVATE KEY-----\n", "key-format", "base64"],
  [formatPem("PRIVATE KEY", Uint8Array.of(0x30, 0)), "key-format", "no private key in it"],
  [
    formatPem("PUBLIC KEY", Uint8Array.of(0x30, 0)),
    "key-not-found",
    "holds a public key, but no private key; name",
  ],
  [Uint8Array.of(0x30, 0), "key-not-found", "holds no private key"],
  [formatPem("OPENSSH PRIVATE KEY", Uint8Array.of(1)), "key-unsupported", "ssh-keygen -p -m PKCS8"],
  [formatPem("PKCS7", Uint8Array.of(0x30, 0)), "key-unsupported", "-print_certs"],
];

Deno.test("openKey() names the fault when a file holds no usable key", async () => {
  using directory = new TemporaryDirectory();
  for (const [contents, code, message] of CONTENTS) {
    const path = directory.write("key", contents);
    await assertRefused(() => openKeyFile(path), path, code, message);
  }
});

Deno.test("openKey() names the path when it is missing or a directory", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.write("file", "x");
  for (const path of [directory.join("missing"), `${file}/below`]) {
    await assertRefused(() => openKeyFile(path), path, "key-not-found", "does not exist");
    await assertRefused(() => readCertificateFile(path), path, "key-not-found", "does not exist");
  }
  const { path } = directory;
  await assertRefused(() => openKeyFile(path), path, "key-unreadable", "is a directory");
});

Deno.test("readKeyFile() names the fault when a file may not be read, or reading fails", async () => {
  const K = parseKeystoreUri("/k", "--private-key");
  const failing = (error: SourceError) => () => Promise.reject(error);
  const denied = failing(new SourceError("denied", "may not be read; change its permissions"));
  await assertRefused(
    () => readKeyFile(K, NO_CONTEXT, denied),
    "/k",
    "key-unreadable",
    "permissions",
  );
  const broken = failing(new SourceError("failed", "cannot be read (EIO)"));
  await assertRefused(() => readKeyFile(K, NO_CONTEXT, broken), "/k", "key-unreadable", "(EIO)");
});

Deno.test("openKey() names the type of a key when it cannot be used", async () => {
  using directory = new TemporaryDirectory();
  const kinds: Readonly<Record<string, readonly string[]>> = {
    "RSA-PSS": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:1024"],
    "Ed25519": ["-algorithm", "ED25519"],
    "Ed448": ["-algorithm", "ED448"],
    "X25519": ["-algorithm", "X25519"],
    "RSA keys of 512 bits": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"],
    "more than two primes": [
      ...["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
      ...["-pkeyopt", "rsa_keygen_primes:3"],
    ],
    "a public exponent of 35 bits": [
      ...["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
      ...["-pkeyopt", "rsa_keygen_pubexp:17179869185"],
    ],
    "elliptic curve secp256k1": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    "explicit curve parameters": [
      ...["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ...["-pkeyopt", "ec_param_enc:explicit"],
    ],
  };
  for (const [message, args] of Object.entries(kinds)) {
    const path = directory.write("key.pem", await openssl(["genpkey", ...args]));
    await assertRefused(() => openKeyFile(path), path, "key-unsupported", message);
  }
});

Deno.test("openKey() refuses a DSA key in both encodings", async () => {
  using directory = new TemporaryDirectory();
  const parameters = directory.join("parameters.pem");
  const [pkcs8, old] = [directory.join("pkcs8.pem"), directory.join("old.pem")];
  await openssl(["dsaparam", "-out", parameters, "1024"]);
  await openssl(["gendsa", "-out", pkcs8, parameters]);
  await openssl(["dsa", "-in", pkcs8, "-out", old]);
  assertStringIncludes(await Deno.readTextFile(pkcs8), "BEGIN PRIVATE KEY");
  assertStringIncludes(await Deno.readTextFile(old), "BEGIN DSA PRIVATE KEY");
  for (const path of [pkcs8, old]) {
    await assertRefused(
      () => openKeyFile(path),
      path,
      "key-unsupported",
      "DSA keys cannot be used",
    );
  }
});

Deno.test("an EC key does not sign when its public key does not match", async () => {
  using directory = new TemporaryDirectory();
  for (const curve of ["ec-p256", "ec-p384", "ec-p521"] as const) {
    const makeSec1 = async () => {
      const path = directory.write("key.pem", await generateKey(curve));
      return await openssl(["ec", "-in", path, "-outform", "DER"]);
    };
    const [mine, other] = [await makeSec1(), await makeSec1()];
    const pointBytes = { "ec-p256": 64, "ec-p384": 96, "ec-p521": 132 }[curve];
    const mixed = Uint8Array.from(mine);
    mixed.set(other.subarray(-pointBytes), mixed.length - pointBytes);
    const path = directory.write("mixed.der", mixed);
    await using signer = await openKeyFile(path);
    const sign = () => signer.sign(new Uint8Array(32), "SHA-256");
    await assertRefused(sign, path, "key-format", "does not match the private key");
    await assertRefused(sign, path, "key-format", "does not match the private key");
  }
});

Deno.test("openKey() refuses an RSA key when its numbers do not match", async () => {
  using directory = new TemporaryDirectory();
  const pem = directory.write("key.pem", await generateKey("rsa-1024"));
  const der = await openssl(["rsa", "-in", pem, "-traditional", "-outform", "DER"]);
  const changed = Uint8Array.from(der);
  changed[50] = (changed[50] ?? 0) ^ 1; // in the modulus
  const path = directory.write("key.der", changed);
  await assertRefused(() => openKeyFile(path), path, "key-format", "do not match");
});

Deno.test("openKey() refuses an RSA key with modulus, an exponent or a prime changed", async () => {
  using directory = new TemporaryDirectory();
  const pem = directory.write("key.pem", await generateKey("rsa-1024"));
  const der = await openssl(["rsa", "-in", pem, "-traditional", "-outform", "DER"]);
  const reader = readSequence(der);
  const [version, ...numbers] = Array.from({ length: 9 }, () => reader.next().encoded);
  for (const i of [0, 1, 2, 3, 4]) {
    const changed = numbers.map((number, at) => {
      const copy = Uint8Array.from(number);
      // Odd numbers stay odd.
      if (at === i) copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 4;
      return copy;
    });
    const path = directory.write("key.der", encodeSequence(version ?? der, ...changed));
    await assertRefused(() => openKeyFile(path), path, "key-format", "do not match");
  }
  const path = directory.write("key.der", encodeSequence(version ?? der, ...numbers));
  await (await openKeyFile(path))[Symbol.asyncDispose]();
});

Deno.test("openKey() refuses RSA keys with which the runtime would not end", async () => {
  using directory = new TemporaryDirectory();
  const refused: readonly (readonly [bigint, bigint])[] = [
    [PRIMES[521], PRIMES[607]],
    [PRIMES[607], PRIMES[521]],
    [PRIMES[127], PRIMES[1279]],
  ];
  for (const [p, q] of refused) {
    const path = directory.write("key.der", encodeRsaKey(p, q));
    await assertRefused(() => openKeyFile(path), path, "key-unsupported", "different lengths");
  }
});

Deno.test("openKey() refuses RSA keys with exponent 1 and with padded numbers", async () => {
  using directory = new TemporaryDirectory();
  const one = directory.write("one.der", encodeRsaKey(PRIMES[521], PRIMES[607], 1n));
  await assertRefused(() => openKeyFile(one), one, "key-format", "do not match");
  const pem = directory.write("key.pem", await generateKey("rsa-1024"));
  const der = await openssl(["rsa", "-in", pem, "-traditional", "-outform", "DER"]);
  const reader = readSequence(der);
  const numbers = Array.from({ length: 9 }, () => reader.next());
  for (const i of numbers.keys()) {
    const padded = numbers.map(({ contents, encoded }, at) =>
      at === i ? encodeElement(TAG.integer, new Uint8Array(1), contents) : encoded
    );
    const path = directory.write("key.der", encodeSequence(...padded));
    await assertRefused(() => openKeyFile(path), path, "key-format", "malformed");
  }
});

/** Encodes `PBKDF2-params` or `scrypt-params` with these costs, in an EncryptedPrivateKeyInfo. */
function encryptedWithCosts(derivation: string, costs: readonly number[]): Uint8Array {
  const oid = (hex: string) => writeElement(0x06, decodeHex(hex));
  const salt = writeElement(0x04, new Uint8Array(16));
  const integers = costs.map((cost) => {
    const hex = cost.toString(16);
    const contents = decodeHex(hex.length % 2 === 0 ? hex : `0${hex}`);
    const isNegative = (contents[0] ?? 0) >= 0x80;
    return writeElement(0x02, new Uint8Array(isNegative ? 1 : 0), contents);
  });
  const kdf = writeElement(0x30, oid(derivation), writeElement(0x30, salt, ...integers));
  const aes256 = oid("60864801650304012a");
  const cipher = writeElement(0x30, aes256, writeElement(0x04, new Uint8Array(16)));
  const pbes2 = oid("2a864886f70d01050d");
  const algorithm = writeElement(0x30, pbes2, writeElement(0x30, kdf, cipher));
  return writeElement(0x30, algorithm, writeElement(0x04, new Uint8Array(64)));
}

Deno.test("openKey() refuses at once when a file asks for hostile costs", async () => {
  using directory = new TemporaryDirectory();
  const pbkdf2 = "2a864886f70d01050c";
  const scrypt = "2b06010401da47040b";
  const cases: readonly (readonly [string, readonly number[], ErrorCode, string])[] = [
    [pbkdf2, [10_000_001], "key-unsupported", "10000001 iterations"],
    [pbkdf2, [2 ** 31 - 1], "key-unsupported", "2147483647 iterations"],
    [pbkdf2, [2 ** 33], "key-format", "out of range"],
    [pbkdf2, [0], "key-format", "iteration count"],
    [pbkdf2, [2048, 2 ** 30], "key-format", "key length"],
    [scrypt, [2 ** 19, 8, 1], "key-unsupported", "512 MiB"],
    [scrypt, [2 ** 18, 8, 2 ** 20], "key-unsupported", "rounds of scrypt"],
    [scrypt, [3, 8, 1], "key-format", "scrypt cost"],
    [scrypt, [2, 1, 2 ** 30], "key-unsupported", "rounds of scrypt"],
    [scrypt, [0, 0, 0], "key-format", "scrypt cost"],
  ];
  for (const [derivation, costs, code, message] of cases) {
    const path = directory.write("costly.der", encryptedWithCosts(derivation, costs));
    const context = passphraseContext("x");
    const started = cpuTime();
    await assertRefused(() => openKeyFile(path, context), path, code, message);
    assertLess(cpuTime() - started, 1000);
  }
});

Deno.test("a file without a certificate or a key is named by what it holds instead", async () => {
  using directory = new TemporaryDirectory();
  const { keyPath, certificatePath } = await createAuthority(directory, { subject: "/CN=a" });
  const request = ["req", "-new", "-key", keyPath, "-subj", "/CN=a"];
  const publicKey = ["pkey", "-in", keyPath, "-pubout"];
  const revoked = ["ca", "-gencrl", "-keyfile", keyPath, "-cert", certificatePath];
  const database = directory.write("index.txt", "");
  const settings = `[ca]\ndefault_ca=d\n[d]\ndatabase=${database}\ndefault_md=sha256\n`;
  const list = [...revoked, "-crldays", "1", "-config", directory.write("ca.cnf", settings)];
  const cases: readonly [string, Uint8Array][] = [
    ["a certificate request", await openssl(request)],
    ["a certificate request", await openssl([...request, "-outform", "DER"])],
    ["a public key", await openssl(publicKey)],
    ["a public key", await openssl([...publicKey, "-outform", "DER"])],
    ["a revocation list", await openssl(list)],
  ];
  for (const [found, bytes] of cases) {
    const path = directory.write("other", bytes);
    await assertRefused(
      () => readCertificateFile(path),
      path,
      "certificate-format",
      `holds ${found}, but no certificate; name the file that does`,
    );
    await assertRefused(
      () => openKeyFile(path),
      path,
      "key-not-found",
      `holds ${found}, but no private key; name the file that does with --private-key`,
    );
  }
  await assertRefused(
    () => openKeyFile(certificatePath),
    certificatePath,
    "key-not-found",
    "holds a certificate, but no private key; name the file that does with --private-key",
  );
});

Deno.test("readCertificates() names the fault when a certificate is missing or broken", async () => {
  using directory = new TemporaryDirectory();
  const { keyPath, certificatePath } = await createAuthority(directory, { subject: "/CN=a" });
  await assertRefused(
    () => readCertificateFile(keyPath),
    keyPath,
    "certificate-format",
    "holds a private key, but no certificate; name the file that does",
  );
  const der = await openssl(["x509", "-in", certificatePath, "-outform", "DER"]);
  const broken = directory.write("broken.pem", formatPem("CERTIFICATE", der.subarray(0, -40)));
  await assertRefused(
    () => readCertificateFile(broken),
    broken,
    "certificate-format",
    "malformed or damaged",
  );
  const empty = directory.write("empty.pem", formatPem("CERTIFICATE", Uint8Array.of(0x30, 0)));
  await assertRefused(
    () => readCertificateFile(empty),
    empty,
    "certificate-format",
    "certificate 1 in",
  );
  const pkcs7 = directory.join("certificates.p7b");
  await openssl(["crl2pkcs7", "-nocrl", "-certfile", certificatePath, "-out", pkcs7]);
  await assertRefused(() => readCertificateFile(pkcs7), pkcs7, "key-unsupported", "openssl pkcs7");
});
