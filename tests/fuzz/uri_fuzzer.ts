import { HelperError } from "../../src/errors.ts";
import { parseKeystoreUri } from "../../src/keystore/uri.ts";
import { Mutator } from "../support/mutator.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import type { Fuzzer } from "./fuzzer.ts";

const PIN = "0123-Kreuzotter-4567";
const URIS = [
  `pkcs11:token=build;object=key;type=private?pin-value=${PIN}`,
  `pkcs11:id=%01%02%FF;slot-id=0;serial=DE%20AD?module-name=softhsm2&pin-value=${PIN}`,
  `PKCS11:Token=a;x-certificate-sha256=${"0".repeat(64)}?context-pin-value=${PIN}&vendor=1`,
  `pkcs11:model=a;manufacturer=b;library-version=2.6?pin-value=${PIN}&context-pin-value=${PIN}`,
  `pkcs11:?module-path=/usr/lib/x.so&pin-source=file:/run/pin&context-pin-value=${PIN}`,
];
const WORDS = ["pkcs11:", "file:", "cng:", "keychain:", "handle:", ";", "&", "?", "=", "%", "%zz"]
  .concat(["%00", "%3f", "\0", "\n", "\x1b[31m", "pin-value=", "pin-source=", "object=", "id="])
  .concat(["module-path=", "slot-id=18446744073709551615", "type=cert", "//", "C:\\"]);
const WINDOWS = new SecretWindows().addText("the PIN", PIN);

/** Returns whether the PIN is where a PIN belongs, and mutation has not copied it elsewhere. */
function isSecret(text: string): boolean {
  const [before = "", ...after] = text.split(PIN);
  return after.length > 0 && /(pin|value)[^=;&?/]*=$/i.test(before) &&
    WINDOWS.findIn(before) === undefined && WINDOWS.findIn(after.join(" ")) === undefined;
}

/** `pkcs11:` URIs with a PIN, damaged in scheme, names, separators and percent escapes. */
export const fuzzer: Fuzzer = {
  shortRounds: 5000,
  longRounds: 100_000,
  open(seed) {
    const mutator = new Mutator(seed, WORDS);
    return Promise.resolve({
      round() {
        const text = mutator.mutateText(mutator.pick(URIS));
        const { outcome, said } = parse(text);
        if (isSecret(text) && WINDOWS.findIn(said)) throw new Error(`the PIN is shown: ${said}`);
        if (/\p{Cc}/u.test(said)) throw new Error(`control characters: ${JSON.stringify(said)}`);
        return outcome;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

function parse(text: string): { outcome: string; said: string } {
  try {
    const { scheme, displayName: label } = parseKeystoreUri(text, "--private-key");
    return { outcome: scheme, said: label };
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    return { outcome: thrown.code, said: thrown.message };
  }
}
