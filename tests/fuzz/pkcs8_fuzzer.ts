import { writeElement } from "../support/der.ts";
import { Mutator } from "../support/mutator.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { FixtureMaker, openKeyFiles, PASSPHRASE } from "./key_files.ts";

/** DER keys: PKCS#8 plain and encrypted, PKCS#1, SEC1, ML-DSA, and a certificate. */
export const fuzzer: Fuzzer = {
  shortRounds: 400,
  longRounds: 100_000,
  async open(seed, directory) {
    const maker = await FixtureMaker.create(directory);
    const { rsa, ec } = maker;
    const der = ["-outform", "DER"];
    const encrypted = [...der, "-passout", `pass:${PASSPHRASE}`];
    const mlDsa = writeElement(0x06, Uint8Array.of(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17));
    const fixtures = new Map([
      ["rsa", await maker.pkcs8(rsa.keyPath, "-nocrypt", ...der)],
      ["ec", await maker.pkcs8(ec.keyPath, "-nocrypt", ...der)],
      ["pkcs1", await maker.make(["rsa", "-in", rsa.keyPath, "-traditional", ...der])],
      ["sec1", await maker.make(["ec", "-in", ec.keyPath, ...der])],
      ["pbes2", await maker.pkcs8(ec.keyPath, "-v2", "aes-192-cbc", "-iter", "1", ...encrypted)],
      ["pbes1", await maker.pkcs8(ec.keyPath, "-v1", "PBE-SHA1-3DES", "-iter", "1", ...encrypted)],
      ["scrypt", await maker.pkcs8(ec.keyPath, "-scrypt", "-scrypt_N", "2", ...encrypted)],
      ["certificate", await maker.make(["x509", "-in", ec.certificatePath, ...der])],
      [
        "ml-dsa",
        writeElement(
          0x30,
          writeElement(0x02, Uint8Array.of(0)),
          writeElement(0x30, mlDsa),
          writeElement(0x04, writeElement(0x80, crypto.getRandomValues(new Uint8Array(32)))),
        ),
      ],
    ]);
    return await openKeyFiles(fixtures, new Mutator(seed), directory);
  },
};
