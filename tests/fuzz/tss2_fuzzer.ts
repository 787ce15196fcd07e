import { encodePublicArea } from "../plugins/tpm/public_areas.ts";
import { Mutator } from "../support/mutator.ts";
import { tss2Der } from "../support/tpm/tss2_pem.ts";
import type { Fuzzer } from "./fuzzer.ts";
import { openKeyFiles } from "./key_files.ts";

/** TSS2 key files in DER, with all optional fields; no TPM is used. */
export const fuzzer: Fuzzer = {
  shortRounds: 400,
  longRounds: 100_000,
  async open(seed, directory) {
    const privateArea = () => crypto.getRandomValues(new Uint8Array(96));
    const fixtures = new Map([
      [
        "loadable",
        tss2Der({
          emptyAuth: 1,
          policy: [{ code: 0x16c, parameters: Uint8Array.of(0, 0, 1, 0x5d) }, { code: 0x16b }],
          description: "of the build server",
          rsaParent: true,
          parent: 0x81000001,
          publicArea: encodePublicArea(),
          privateArea: privateArea(),
        }),
      ],
      [
        "importable",
        tss2Der({
          type: 4,
          secret: crypto.getRandomValues(new Uint8Array(48)),
          parent: 0x40000001,
          publicArea: encodePublicArea({ rsaBits: 2048 }),
          privateArea: privateArea(),
        }),
      ],
    ]);
    return await openKeyFiles(fixtures, new Mutator(seed), directory);
  },
};
