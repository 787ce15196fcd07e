import { encodeBase64 } from "@std/encoding/base64";
import { formatPem } from "../../src/x509/pem.ts";
import { encodePublicArea } from "../plugins/tpm/public_areas.ts";
import { Mutator } from "../support/mutator.ts";
import { tss2Pem } from "../support/tpm/tss2_pem.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { FixtureMaker, openKeyFiles, PASSPHRASE } from "./key_files.ts";

const WORDS = [
  "-----BEGIN ",
  "-----END ",
  "-----",
  "----------",
  "\n",
  "\r\n",
  "\\n",
  " ",
  "\ufeff",
]
  .concat(["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
  .concat(["CERTIFICATE", "EC PARAMETERS", "TSS2 PRIVATE KEY", "OPENSSH PRIVATE KEY", "PKCS7"])
  .concat(["Proc-Type: 4,ENCRYPTED\n", "DEK-Info: AES-128-CBC,", "DEK-Info: ", "=", "====", ":"]);

/** PEM texts of every kind of key, with damaged line breaks, markers, headers and base64. */
export const fuzzer: Fuzzer = {
  shortRounds: 400,
  longRounds: 100_000,
  async open(seed, directory) {
    const maker = await FixtureMaker.create(directory);
    const { rsa, ec } = maker;
    const passout = ["-passout", `pass:${PASSPHRASE}`];
    const fixtures = new Map([
      ["pkcs8", await maker.pkcs8(ec.keyPath, "-nocrypt")],
      ["pkcs1", await maker.make(["rsa", "-in", rsa.keyPath, "-traditional"])],
      ["sec1", await maker.make(["ec", "-in", ec.keyPath])],
      ["pbes2", await maker.pkcs8(ec.keyPath, "-iter", "1", ...passout)],
      [
        "proc-type",
        await maker.make(["rsa", "-in", rsa.keyPath, "-traditional", "-aes128", ...passout]),
      ],
    ]);
    const text = (path: string) => Deno.readTextFileSync(path);
    const add = (name: string, pem: string) => fixtures.set(name, new TextEncoder().encode(pem));
    add("key and certificate", text(ec.keyPath) + text(ec.certificatePath));
    add("certificate and key", text(rsa.certificatePath) + text(rsa.keyPath));
    add(
      "tss2",
      tss2Pem({
        parent: 0x81000001,
        publicArea: encodePublicArea(),
        privateArea: crypto.getRandomValues(new Uint8Array(64)),
      }),
    );
    const ecPem = text(ec.keyPath);
    add("one line", ecPem.replaceAll("\n", ""));
    add("one line with blanks", ecPem.replaceAll("\n", " "));
    add("escaped line breaks", ecPem.replaceAll("\n", "\\n"));
    add("glued", text(ec.certificatePath).trimEnd() + ecPem);
    add("base64 of PEM", encodeBase64(ecPem));
    const noise = formatPem("X", new Uint8Array(60).fill(0xa5));
    add("another block first", noise + text(ec.keyPath));
    return await openKeyFiles(fixtures, new Mutator(seed, WORDS), directory);
  },
};
