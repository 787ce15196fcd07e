import { assertEquals, assertGreater } from "@std/assert";
import { keystore } from "../../../plugins/file/mod.ts";
import { HelperError } from "../../../src/errors.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { createAuthority } from "../../support/certificates.ts";
import { writeElement } from "../../support/der.ts";
import { openssl } from "../../support/openssl.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { toIndefinite } from "./indefinite.ts";
import { passphraseContext } from "./keystore_context.ts";

const PASSPHRASE = "x";

/** Makes one file of each container, with few iterations for its passphrase. */
async function fixtures(directory: TemporaryDirectory): Promise<Map<string, Uint8Array>> {
  const rsa = await createAuthority(directory, { subject: "/CN=rsa", keyType: "rsa-1024" });
  const ec = await createAuthority(directory, { subject: "/CN=ec", keyType: "ec-p384" });
  const passout = ["-passout", `pass:${PASSPHRASE}`];
  const der = ["-outform", "DER"];
  const pkcs12 = (files: typeof rsa, ...options: string[]) => [
    ...["pkcs12", "-export", "-inkey", files.keyPath, "-in", files.certificatePath],
    ...["-iter", "1", ...passout, ...options],
  ];
  const pkcs8 = (keyPath: string, ...options: string[]) => [
    ...["pkcs8", "-topk8", "-in", keyPath, ...der, ...options],
  ];
  const making: Readonly<Record<string, readonly string[]>> = {
    "pkcs8 rsa": pkcs8(rsa.keyPath, "-nocrypt"),
    "pkcs8 ec": pkcs8(ec.keyPath, "-nocrypt"),
    "pkcs1": ["rsa", "-in", rsa.keyPath, "-traditional", ...der],
    "sec1": ["ec", "-in", ec.keyPath, ...der],
    "sec1 pem": ["ec", "-in", ec.keyPath],
    "pbes2": pkcs8(ec.keyPath, "-v2", "aes-192-cbc", "-iter", "1", ...passout),
    "pbes1": pkcs8(ec.keyPath, "-v1", "PBE-SHA1-3DES", "-iter", "1", ...passout),
    "scrypt": pkcs8(ec.keyPath, "-scrypt", "-scrypt_N", "2", ...passout),
    "proc-type": ["rsa", "-in", rsa.keyPath, "-traditional", "-des3", ...passout],
    "certificate": ["x509", "-in", ec.certificatePath, ...der],
    "pkcs12 modern": pkcs12(ec),
    "pkcs12 legacy": pkcs12(rsa, "-legacy"),
    "pkcs12 ber": pkcs12(ec),
    "pkcs12 without mac": pkcs12(ec, "-nomac", "-keypbe", "NONE", "-certpbe", "NONE"),
  };
  const made = new Map<string, Uint8Array>();
  for (const [name, args] of Object.entries(making)) {
    const path = directory.join("made");
    await openssl([...args, "-out", path]);
    const bytes = await Deno.readFile(path);
    made.set(name, name === "pkcs12 ber" ? toIndefinite(bytes) : bytes);
  }
  const mlDsa = writeElement(0x06, Uint8Array.of(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17));
  const seed = writeElement(0x04, writeElement(0x80, new Uint8Array(32).fill(7)));
  const version = writeElement(0x02, Uint8Array.of(0));
  made.set("ml-dsa", writeElement(0x30, version, writeElement(0x30, mlDsa), seed));
  return made;
}

/** Opens a file both ways. Any error other than a HelperError fails the test. */
async function outcomes(path: string): Promise<string[]> {
  const uri = parseKeystoreUri(path, "--private-key");
  const context = passphraseContext(PASSPHRASE);
  const codes: string[] = [];
  for (const open of ["openKey", "readCertificates"] as const) {
    try {
      const opened = await keystore[open](uri, context);
      if ("sign" in opened) {
        await opened.sign(Uint8Array.of(1), "SHA-256");
        await opened[Symbol.asyncDispose]();
      }
      codes.push("opened");
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      codes.push(thrown.code);
    }
  }
  return codes;
}

Deno.test("openKey() and readCertificates() throw a key error when a file is truncated anywhere", async () => {
  using directory = new TemporaryDirectory();
  for (const [name, bytes] of await fixtures(directory)) {
    const path = directory.write("whole", bytes);
    assertEquals((await outcomes(path)).includes("opened"), true, name);
    const isText = name === "sec1 pem" || name === "proc-type";
    for (let length = 0; length < bytes.length; length++) {
      const cut = directory.write("cut", bytes.subarray(0, length));
      const onlyNewlineIsMissing = isText && length === bytes.length - 1;
      if (onlyNewlineIsMissing) continue;
      assertEquals((await outcomes(cut)).includes("opened"), false, `${name} at ${length}`);
    }
  }
});

Deno.test("openKey() and readCertificates() throw only HelperErrors when bytes are changed", async () => {
  using directory = new TemporaryDirectory();
  const random = xorshift(20_250_101);
  let refused = 0;
  for (const bytes of (await fixtures(directory)).values()) {
    for (let round = 0; round < 300; round++) {
      const changed = Uint8Array.from(bytes);
      for (let edits = 1 + random() % 3; edits > 0; edits--) {
        changed[random() % changed.length] = random() % 256;
      }
      const path = directory.write("changed", changed);
      if (!(await outcomes(path)).includes("opened")) refused++;
    }
  }
  assertGreater(refused, 1000);
});

/** Returns a generator of the same numbers on every run (Marsaglia's xorshift). */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
