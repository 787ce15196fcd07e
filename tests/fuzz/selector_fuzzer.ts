import { readCertSelector } from "../../src/cli/cert_selector.ts";
import { HelperError } from "../../src/errors.ts";
import { Mutator } from "../support/mutator.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import type { Fuzzer } from "./fuzzer.ts";

const SECRET = "Kreuzotter-4567-Ringelnatter";
const ARGUMENTS = [
  `Key=x509Subject,Value=CN=${SECRET},O=a\\, b+OU="c" Key=x509Issuer,Value=CN=d;C=DE`,
  `Key=x509Serial,Value=15:d1:96:32 Key=x509San,Value=DNS:${SECRET}.example`,
  `Key=x509Thumbprint,Value=${"ab".repeat(32)} Key=x509Subject,Value=#0c0141 ${SECRET}`,
];
const FILES = [
  JSON.stringify([
    { Key: "x509Subject", Value: `CN=${SECRET}` },
    { Key: "x509Serial", Value: "15D19632" },
  ]),
  JSON.stringify([{ Key: "x509San", Value: `URI:spiffe://${SECRET}/x` }], null, 2),
];
const WORDS = ["Key=", ",Value=", "x509Subject", "x509Serial", "x509San", "x509Thumbprint", "CN="]
  .concat(["\\", '"', "+", ";", ",", "=", "#", "\\ff", "[", "]", "{", "}", ":", "null", "IP:::1"])
  .concat(["\u200e", "\0", "\x1b[31m", '"Key":', '"Value":', "OID.2.5.4.3=", "file://"]);

/** Certificate selectors as arguments and as JSON files. */
export const fuzzer: Fuzzer = {
  shortRounds: 5000,
  longRounds: 100_000,
  open(seed) {
    const mutator = new Mutator(seed, WORDS);
    const secret = new SecretWindows().addText("the value", SECRET);
    return Promise.resolve({
      async round() {
        const isFile = mutator.below(2) === 0;
        const text = mutator.mutateText(mutator.pick(isFile ? FILES : ARGUMENTS));
        const { outcome, said } = await read(isFile, text);
        const isPath = !isFile && text.startsWith("file://");
        if (!isPath && secret.findIn(said)) throw new Error(`the value is shown: ${said}`);
        if (/\p{Cc}/u.test(said)) throw new Error(`control characters: ${JSON.stringify(said)}`);
        return outcome;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

async function read(isFile: boolean, text: string): Promise<{ outcome: string; said: string }> {
  const bytes = new TextEncoder().encode(text);
  try {
    await readCertSelector(
      isFile ? ["file://selector.json"] : [text],
      () => Promise.resolve(bytes),
    );
    return { outcome: isFile ? "file read" : "read", said: "" };
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return { outcome: thrown.code, said: thrown.message };
  }
}
