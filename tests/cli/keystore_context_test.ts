import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { FlagValues } from "../../src/cli/flags/flag_values.ts";
import type { FlagName } from "../../src/cli/flags/flags.ts";
import {
  createKeystoreContext,
  debugLogger,
  readCertificateSource,
  readIdentitySource,
} from "../../src/cli/keystore_context.ts";
import { HelperError } from "../../src/errors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { FakeSystem } from "./fake_system.ts";

type Given = Partial<Record<FlagName, string | readonly string[] | boolean>>;

const valuesOf = (given: Given, variables: Record<string, string> = {}) =>
  new FlagValues(
    "sign-string",
    new Map(Object.entries(given) as [FlagName, string][]),
    (name) => variables[name],
  );

Deno.test("readIdentitySource() returns only the sources that are named", async () => {
  const both = await readIdentitySource(
    valuesOf({ certificate: "c", "private-key": "pkcs11:id=%01" }),
    "linux",
  );
  assertEquals([both.certificate?.path, both.privateKey?.scheme], ["c", "pkcs11"]);
  assertEquals(Object.keys(await readIdentitySource(valuesOf({ "private-key": "k" }), "linux")), [
    "privateKey",
  ]);
});

Deno.test("readIdentitySource() throws usage naming the flag when a source is malformed", async () => {
  const values = valuesOf({ certificate: "c", "private-key": "what:k" });
  const error = await assertRejects(
    () => readIdentitySource(values, "linux"),
    HelperError,
    "--private-key",
  );
  assertEquals(error.code, "usage");
});

const SELECTOR: Given = { "cert-selector": ["Key=x509Subject,Value=CN=a"] };

Deno.test("readCertificateSource() names what to use when Linux is asked for its store", async () => {
  const error = await assertRejects(
    () => readCertificateSource(valuesOf(SELECTOR), "linux"),
    HelperError,
  );
  assertEquals(error.code, "keystore-unavailable");
  for (const text of ["Linux", "a file", "pkcs11: URI"]) {
    assertStringIncludes(error.message, text);
  }
  for (const text of ["keychain:", "cng:"]) assertEquals(error.message.includes(text), false);
});

Deno.test("readCertificateSource() throws usage for a wrong selector on every platform", async () => {
  for (const platform of ["linux", "darwin", "windows"] as const) {
    const values = valuesOf({ "cert-selector": ["Key=x509Subject"] });
    const error = await assertRejects(() => readCertificateSource(values, platform), HelperError);
    assertEquals([error.code, error.message.startsWith("--cert-selector: ")], ["usage", true]);
  }
});

Deno.test("readCertificateSource() returns the platform's store if there is one", async () => {
  assertEquals((await readCertificateSource(valuesOf(SELECTOR), "darwin"))?.scheme, "keychain");
  const source = await readCertificateSource(valuesOf(SELECTOR), "windows");
  assertEquals(source?.scheme, "cng");
  assertEquals(source?.attributes.get("x509Subject"), new TextEncoder().encode("CN=a"));
});

Deno.test("createKeystoreContext() resolves a secret on demand only", async () => {
  const values = valuesOf({ "private-key": "k", "pkcs8-password": "env:UNSET" });
  const context = createKeystoreContext(values, new FakeSystem());
  assertEquals(await context.secret("tpm-key-password"), undefined);
  const error = await assertRejects(() => context.secret("pkcs8-password"), HelperError);
  assertEquals(error.code, "secret-source");
});

Deno.test("createKeystoreContext() resolves env: and file:, and takes another program's variable literally", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("password", "from a file\n");
  const secret = async (given: Given, variables: Record<string, string> = {}) => {
    const values = valuesOf({ "private-key": "k", ...given }, variables);
    const context = createKeystoreContext(values, new FakeSystem({ variables }));
    return [await context.secret("pkcs8-password"), await context.secret("tpm-key-password")];
  };
  const source = "--pkcs8-password";
  assertEquals(
    await secret({ "pkcs8-password": "env:A" }, { A: "a" }),
    [{ text: "a", source, origin: "env:A" }, undefined],
  );
  assertEquals(
    await secret({ "pkcs8-password": `file:${path}` }),
    [{ text: "from a file", source, origin: `the file ${path}` }, undefined],
  );
  assertEquals(await secret({ "pkcs8-password": "pass:b" }), [{ text: "b", source }, undefined]);
  assertEquals(
    await secret({}, { AWS_SIGNING_HELPER_PKCS8_PASSWORD: "c" }),
    [{ text: "c", source: "AWS_SIGNING_HELPER_PKCS8_PASSWORD" }, undefined],
  );
  assertEquals(
    await secret({}, { TPM_CHILD_KEY_PASSWORD: "env:A", A: "a" }),
    [undefined, { text: "env:A", source: "TPM_CHILD_KEY_PASSWORD" }],
  );
});

Deno.test("debugLogger() logs only with --debug", () => {
  const system = new FakeSystem();
  debugLogger(valuesOf({ "private-key": "k" }), system)("one");
  debugLogger(valuesOf({ "private-key": "k", debug: true }), system)("two");
  assertEquals([system.logged, system.written], [["debug: two"], []]);
});
