import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Pkcs11Keystore } from "../../../plugins/pkcs11/keystore.ts";
import { LAYOUTS } from "../../../plugins/pkcs11/layout.ts";
import { TIME_LIMITS } from "../../../plugins/pkcs11/time_limits.ts";
import { HelperError } from "../../../src/errors.ts";
import { compileModule, SOFTHSM } from "../../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import { createKeystore, type Given, scriptedContext, uriOf } from "./keystore_context.ts";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
await hsm.token("there");

/** The refusal that a new keystore gives. */
async function refusal(uri: string, given: Given): Promise<HelperError> {
  using _ = hsm.enter();
  const keystore = createKeystore(undefined, { load: 400 });
  return await assertRejects(
    () => keystore.openKey(uriOf(uri), scriptedContext(given)),
    HelperError,
  );
}

const HARMFUL = {
  segfault: "crashes (SIGSEGV) while it is loaded",
  abort: "crashes (SIGABRT) while it is loaded",
  exit: "ends the program while it is loaded",
  hang: "is not loaded within 0.4 s",
  empty: "is no PKCS#11 module: it has no C_GetFunctionList",
} as const;

for (const [name, words] of Object.entries(HARMFUL)) {
  Deno.test(`openKey() throws keystore-unavailable when the module does this when it is loaded: ${name}`, async () => {
    const module = await compileModule(name as keyof typeof HARMFUL);
    const error = await refusal("pkcs11:", { module });
    assertEquals(error.code, "keystore-unavailable");
    assertStringIncludes(error.message, `--pkcs11-lib: ${module} ${words}`);
  });
}

Deno.test("openKey() throws keystore-unavailable, naming who named it, when the module is not there", async () => {
  const missing: [string, Given, string][] = [
    ["pkcs11:", { module: "/no/such.so" }, "--pkcs11-lib: /no/such.so does not exist"],
    ["pkcs11:", { module: "/etc" }, "--pkcs11-lib: /etc is a directory"],
    [
      "pkcs11:",
      { module: "/etc/passwd" },
      "--pkcs11-lib: /etc/passwd cannot be loaded: invalid ELF header",
    ],
    [
      "pkcs11:",
      { module: "no-such.so" },
      "--pkcs11-lib: no-such.so cannot be loaded: cannot open shared object file",
    ],
    [
      "pkcs11:",
      { moduleVariable: "/no/such.so" },
      "PKCS11_MODULE_PATH: /no/such.so does not exist",
    ],
    ["pkcs11:?module-path=/no/such.so", {}, "module-path: /no/such.so does not exist"],
    ["pkcs11:?module-path=/etc", {}, "module-path: /etc is a directory"],
    [
      "pkcs11:?module-name=nosuch",
      {},
      "module-name: there is no such module; tried nosuch.so, libnosuch.so in /usr/lib",
    ],
    ["pkcs11:?module-name=x&module-path=/etc", {}, "tried x.so, libx.so in /etc"],
  ];
  for (const [uri, given, words] of missing) {
    const error = await refusal(uri, given);
    assertEquals(error.code, "keystore-unavailable");
    assertStringIncludes(error.message, words);
  }
});

Deno.test("openKey() throws keystore-unavailable, telling what was tried, when no module is found", async () => {
  const keystore = new Pkcs11Keystore({
    platform: "darwin", // whose places are not on this machine
    architecture: Deno.build.arch,
    layout: LAYOUTS.natural,
    limits: TIME_LIMITS,
  });
  const error = await assertRejects(
    () => keystore.openKey(uriOf("pkcs11:"), scriptedContext()),
    HelperError,
  );
  assertEquals(error.code, "keystore-unavailable");
  for (
    const words of ["p11-kit-proxy.dylib", "/opt/homebrew/lib", "/usr/local/lib", "--pkcs11-lib"]
  ) {
    assertStringIncludes(error.message, words);
  }
});

Deno.test("listCertificates() finds the token by module-path, module-name and the usual places", async () => {
  using _ = hsm.enter();
  for (const query of [`?module-path=${SOFTHSM}`, "?module-name=softhsm2", ""]) {
    const keystore = createKeystore();
    const listed = await keystore.listCertificates(
      uriOf(`pkcs11:token=there${query}`),
      scriptedContext(),
    );
    assertEquals(listed, []);
    const error = await assertRejects(
      () =>
        keystore.openKey(
          uriOf(`pkcs11:token=there${query}${query === "" ? "?" : "&"}pin-value=${PIN}`),
          scriptedContext(),
        ),
      HelperError,
    );
    assertStringIncludes(error.message, 'no private key matches in token "there"');
    keystore.unload();
  }
});
