import { toIndefinite } from "../plugins/file/indefinite.ts";
import { Mutator } from "../support/mutator.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { FixtureMaker, openKeyFiles, PASSPHRASE } from "./key_files.ts";

/** PKCS#12 files, old and modern, DER and BER, with and without MAC. */
export const fuzzer: Fuzzer = {
  shortRounds: 200,
  longRounds: 100_000,
  async open(seed, directory) {
    const maker = await FixtureMaker.create(directory);
    const { rsa, ec } = maker;
    const pkcs12 = (files: typeof rsa, ...options: string[]) =>
      maker.make([
        ...["pkcs12", "-export", "-inkey", files.keyPath, "-in", files.certificatePath],
        ...["-iter", "1", "-passout", `pass:${PASSPHRASE}`, ...options],
      ]);
    const noMac = await pkcs12(ec, "-nomac", "-keypbe", "NONE", "-certpbe", "NONE");
    const fixtures = new Map([
      ["modern", await pkcs12(ec)],
      ["legacy", await pkcs12(rsa, "-legacy")],
      ["modern without mac", await pkcs12(ec, "-nomac")],
      ["legacy without mac", await pkcs12(ec, "-nomac", "-legacy")],
      ["plain", noMac],
      ["plain, indefinite lengths", Uint8Array.from(toIndefinite(noMac))],
    ]);
    return await openKeyFiles(fixtures, new Mutator(seed), directory);
  },
};
