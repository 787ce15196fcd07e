/** Tests that the doubles of stores detect misuse, so that tests that use them prove its absence. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { testWith, whyMissing } from "../support/needs.ts";
import * as cng from "./cng/compile_double.ts";
import { CngDouble } from "./cng/double.ts";
import * as keychain from "./keychain/compile_double.ts";
import { KeychainDouble } from "./keychain/double.ts";
import { StoreFixture } from "./store_fixture.ts";

const reason = whyMissing("compiler");
const fixture = new StoreFixture();
const [, lower] = await fixture.authorities;
const identity = await fixture.issue("ec-p256", "/CN=a");
const certificatePath = fixture.directory.write("a.der", identity.encoded);
const SCRIPT = fileURLToPath(new URL("misuse.ts", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));
/** Exit code of a shell for a program that abort(3) ended. */
const ABORTED = 134;

const libraries = reason ? { cng: "", keychain: "" } : {
  cng: await cng.compileDouble("linux", fixture.directory.join("libcng.so")),
  keychain: await keychain.compileDouble(fixture.directory.join("libkeychain.so")),
};

const WAYS: [keyof typeof libraries, string, message: string][] = [
  ["cng", "open for writing", "CertOpenStore: other flags"],
  ["cng", "close early", "CertCloseStore: contexts of it are still held"],
  ["cng", "free twice", "CertFreeCertificateContext: no live certificate context"],
  ["cng", "open a window", "CryptAcquireCertificatePrivateKey: a window could open"],
  ["cng", "free a key twice", "NCryptFreeObject: no live handle"],
  ["keychain", "release twice", "CFRelease: an object that was released already"],
  ["keychain", "release null", "CFRelease: a null object"],
  ["keychain", "use after release", "CFDataGetLength: an object that was released already"],
  ["keychain", "another type", "CFArrayGetCount: an object of another type"],
  ["keychain", "a constant's address", "CFRetain: not an object"],
  ["keychain", "use the network", "SecTrustEvaluateWithError: it may use the network"],
];

for (const [library, way, message] of WAYS) {
  testWith(["compiler"], `the double of ${library} ends the process: ${way}`, async () => {
    // deno-fmt-ignore
    const { code, stderr } = await runProgram("sh", [
      "-c", '"$@"', "sh", Deno.execPath(), "run", "--quiet", "--cached-only", "-A", "--no-check",
      "--config", CONFIGURATION, SCRIPT, libraries[library], way, certificatePath, identity.keyPath,
    ], { env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "" } });
    assertStringIncludes(stderr, `misuse of ${message}`);
    assertEquals(code, ABORTED);
  });
}

testWith(["compiler"], "the doubles count unreleased objects", () => {
  using windows = new CngDouble(libraries.cng);
  windows.hold([{ encoded: lower.encoded, kind: "none" }]);
  using mac = new KeychainDouble(libraries.keychain);
  assertEquals([windows.live, mac.live], [0, 0]);
  using opened = new DisposableStack();
  const store = Deno.dlopen(libraries.cng, {
    CertOpenStore: { parameters: ["usize", "u32", "usize", "u32", "buffer"], result: "pointer" },
  });
  opened.defer(() => store.close());
  const name = Uint16Array.from("MY\0", (letter) => letter.charCodeAt(0));
  store.symbols.CertOpenStore(10n, 0, 0n, 0x1c000, name);
  const data = Deno.dlopen(libraries.keychain, {
    CFDataCreate: { parameters: ["pointer", "buffer", "isize"], result: "pointer" },
  });
  opened.defer(() => data.close());
  data.symbols.CFDataCreate(null, new Uint8Array(1), 1n);
  assertEquals([windows.live, mac.live], [1, 1]);
});
