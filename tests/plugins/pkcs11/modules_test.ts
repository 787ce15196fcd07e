import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Pkcs11Keystore } from "../../../plugins/pkcs11/keystore.ts";
import { LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { TIMEOUTS } from "../../../plugins/pkcs11/cryptoki/timeouts.ts";
import { HelperError } from "../../../src/errors.ts";
import { verifySignature } from "../../../src/x509/verify_signature.ts";
import { createAuthority, generateKey, issueCertificate } from "../../support/certificates.ts";
import { compileModule, SOFTHSM } from "../../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { formatName } from "../../../src/x509/name.ts";
import type { Signer } from "../../../src/keystore/types.ts";
import { wrap, WRAPPERS, type WrapperSettings } from "./wrapper.ts";
import { type Script, scriptedContext } from "../../support/scripted_context.ts";
import { createKeystore, moduleContext, parseUri } from "./keystore_context.ts";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
await hsm.token("there");
const full = await hsm.token("full");
const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
const machine = await issueCertificate(authority, { subject: "/CN=machine" });
await full.importKey(machine.keyPath, { id: "01", label: "machine" });
await full.importCertificate(machine.certificatePath, { id: "01", label: "machine" });

/** Returns the error of a new keystore. */
async function expectError(uri: string, options: Script): Promise<HelperError> {
  using _ = hsm.enter();
  const keystore = createKeystore(undefined, { load: 400 });
  return await assertRejects(
    () => keystore.openKey(parseUri(uri), scriptedContext(options)),
    HelperError,
  );
}

const HARMFUL = {
  segfault: "crashes (SIGSEGV) while it is loaded",
  abort: "crashes (SIGABRT) while it is loaded",
  exit: "exits while it is loaded",
  hang: "did not load within 0.4 s",
  empty: "is not a PKCS#11 module (C_GetFunctionList is missing)",
} as const;

for (const [name, message] of Object.entries(HARMFUL)) {
  Deno.test(`openKey() throws keystore-unavailable when loading the module does this: ${name}`, async () => {
    const module = await compileModule(name as keyof typeof HARMFUL);
    const error = await expectError("pkcs11:", { settings: { "pkcs11-lib": module } });
    assertEquals(error.code, "keystore-unavailable");
    assertStringIncludes(error.message, `--pkcs11-lib: ${module} ${message}`);
  });
}

Deno.test("openKey() throws keystore-unavailable, and names its source, when the module does not exist", async () => {
  const missing: [string, Script, string][] = [
    [
      "pkcs11:",
      { settings: { "pkcs11-lib": "/no/such.so" } },
      "--pkcs11-lib: /no/such.so does not exist",
    ],
    ["pkcs11:", { settings: { "pkcs11-lib": "/etc" } }, "--pkcs11-lib: /etc is a directory"],
    [
      "pkcs11:",
      { settings: { "pkcs11-lib": "/etc/passwd" } },
      "--pkcs11-lib: /etc/passwd cannot be loaded: invalid ELF header",
    ],
    [
      "pkcs11:",
      { settings: { "pkcs11-lib": "no-such.so" } },
      "--pkcs11-lib: no-such.so cannot be loaded: cannot open shared object file",
    ],
    [
      "pkcs11:",
      { defaults: { "pkcs11-lib": "/no/such.so" } },
      "PKCS11_MODULE_PATH: /no/such.so does not exist",
    ],
    ["pkcs11:?module-path=/no/such.so", {}, "module-path: /no/such.so does not exist"],
    ["pkcs11:?module-path=/etc", {}, "module-path: /etc is a directory"],
    [
      "pkcs11:?module-name=nosuch",
      {},
      "module-name: no such module; tried nosuch.so, libnosuch.so in /usr/lib",
    ],
    ["pkcs11:?module-name=x&module-path=/etc", {}, "tried x.so, libx.so in /etc"],
  ];
  for (const [uri, options, message] of missing) {
    const error = await expectError(uri, options);
    assertEquals(error.code, "keystore-unavailable");
    assertStringIncludes(error.message, message);
  }
});

Deno.test("openKey() throws keystore-unavailable, and lists what was tried, when no module is found", async () => {
  const keystore = new Pkcs11Keystore({
    platform: "darwin", // its default paths do not exist on this machine
    architecture: Deno.build.arch,
    layout: LAYOUTS.natural,
    timeouts: TIMEOUTS,
  });
  const error = await assertRejects(
    () => keystore.openKey(parseUri("pkcs11:"), scriptedContext()),
    HelperError,
  );
  assertEquals(error.code, "keystore-unavailable");
  for (
    const message of ["p11-kit-proxy.dylib", "/opt/homebrew/lib", "/usr/local/lib", "--pkcs11-lib"]
  ) {
    assertStringIncludes(error.message, message);
  }
});

Deno.test("listCertificates() finds the token by module-path, module-name and the default paths", async () => {
  using _ = hsm.enter();
  for (const query of [`?module-path=${SOFTHSM}`, "?module-name=softhsm2", ""]) {
    const keystore = createKeystore();
    const listed = await keystore.listCertificates(
      parseUri(`pkcs11:token=there${query}`),
      scriptedContext(),
    );
    assertEquals(listed, []);
    const error = await assertRejects(
      () =>
        keystore.openKey(
          parseUri(`pkcs11:token=there${query}${query === "" ? "?" : "&"}pin-value=${PIN}`),
          scriptedContext(),
        ),
      HelperError,
    );
    assertStringIncludes(error.message, 'no certificate or private key matches in token "there"');
    keystore.unload();
  }
});

/** Module that comes before SoftHSM if none is named, and the calls it must not get. */
const SIBLINGS: Readonly<Record<string, { settings: WrapperSettings; without: string }>> = {
  "cannot list its slots": { settings: { FAIL: "C_GetSlotList=0x30" }, without: "C_OpenSession" },
  "has a token without the object": { settings: { EMPTY: "1" }, without: "C_Login" },
};

for (const [what, { settings, without }] of Object.entries(SIBLINGS)) {
  Deno.test(`openKey() goes on to the next module when the first ${what}`, async () => {
    using directory = new TemporaryDirectory();
    Deno.symlinkSync(WRAPPERS[0]?.module ?? "", directory.join("opensc-pkcs11.so"));
    Deno.symlinkSync(SOFTHSM, directory.join("libsofthsm2.so"));
    const keystore = createKeystore(undefined, {}, [directory.path]);
    using wrapped = wrap(hsm, settings);
    for (const attributes of ["object=machine", "token=full;id=%01", "token=full"]) {
      await using signer = await keystore.openKey(
        parseUri(`pkcs11:${attributes}?pin-value=${PIN}`),
        scriptedContext(),
      ) as Signer;
      assertEquals(signer.certificates.map(({ subject }) => formatName(subject)), ["CN=machine"]);
    }
    assertEquals(wrapped.count(without), 0);
    assert(wrapped.count("C_GetSlotList") > 0);
    const listed = await keystore.listCertificates(parseUri("pkcs11:"), scriptedContext());
    assertEquals(listed.length, 1);
    const error = await assertRejects(
      () => keystore.openKey(parseUri("pkcs11:token=full;object=x"), scriptedContext()),
      HelperError,
    );
    assertStringIncludes(error.message, "no certificate or private key matches in token");
    keystore.unload();
  });
}

Deno.test("listCertificates() reads the attributes of each certificate twice at most", async () => {
  const many = await hsm.token("many");
  const COUNT = 20;
  for (let i = 0; i < COUNT; i++) {
    await many.importCertificate(machine.certificatePath, { id: `${10 + i}`, label: `copy ${i}` });
  }
  const keystore = createKeystore();
  using wrapped = wrap(hsm);
  const { module = "" } = WRAPPERS[0] ?? {};
  const listed = await keystore.listCertificates(
    parseUri("pkcs11:token=many"),
    moduleContext(module),
  );
  assertEquals(listed.length, COUNT);
  assert(wrapped.count("C_GetAttributeValue") <= 2 * COUNT);
  keystore.unload();
});

Deno.test("sign() tries each key that may be the certificate's, and then uses only the right one", async () => {
  const twins = await hsm.token("twins");
  const strangers = [1, 2, 3].map(() => generateKey("ec-p256"));
  const keys = [...await Promise.all(strangers), machine.keyPem];
  for (const [i, key] of keys.entries()) {
    const path = hsm.directory.write(`twin${i}.key`, key);
    await twins.importKey(path, { id: "0a", label: "twin" });
  }
  await twins.importCertificate(machine.certificatePath, { id: "0a", label: "machine" });
  const keystore = createKeystore();
  using wrapped = wrap(hsm);
  const { module = "" } = WRAPPERS[0] ?? {};
  const uri = (attributes: string) => parseUri(`pkcs11:token=twins;${attributes}?pin-value=${PIN}`);
  {
    await using signer = await keystore.openKey(
      uri("id=%0A"),
      moduleContext(module),
    ) as Signer;
    const message = new TextEncoder().encode("message");
    for (const max of [keys.length, 1]) {
      const before = wrapped.count("C_Sign");
      const signature = await signer.sign(message, "SHA-256");
      assert(wrapped.count("C_Sign") - before <= max);
      assert(await verifySignature(signer.publicKey, message, "SHA-256", signature));
    }
  }
  const error = await assertRejects(
    () => keystore.openKey(uri("id=%0A;type=private"), moduleContext(module)),
    HelperError,
    "4 private keys match and have the same id and label",
  );
  assertEquals(error.code, "key-not-found");
  keystore.unload();
});
