import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HelperError } from "../../../src/errors.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";
import { SOFTHSM } from "../../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../../support/soft_hsm.ts";
import type { Script, ScriptedContext } from "../../support/scripted_context.ts";
import { loadedKeystore, moduleContext, parseUri } from "./keystore_context.ts";
import { wrap, type Wrapped, WRAPPERS, type WrapperSettings } from "./wrapper.ts";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
const token = await hsm.token("locked");
const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
const { keyPath, certificatePath } = await issueCertificate(authority, { subject: "/CN=machine" });
await token.importKey(keyPath, { id: "01", label: "key" });
await token.importCertificate(certificatePath, { id: "01", label: "key" });
await token.importKey(keyPath, { id: "02", label: "careful", alwaysAuthenticate: true });
await token.importCertificate(certificatePath, { id: "02", label: "careful" });
// deno-fmt-ignore
await hsm.run("pkcs11-tool", [
  "--module", SOFTHSM, "--init-token", "--slot-index", "1", "--label", "new", "--so-pin", "87654321",
]);

await token.importOpenKey(keyPath, { id: "03", label: "open" });
await token.importCertificate(certificatePath, { id: "03", label: "open" });

const MESSAGE = new TextEncoder().encode("message");
const KEY = "pkcs11:token=locked;object=key";
const CAREFUL = "pkcs11:token=locked;object=careful";
const WRONG = "99999999";
const ALSO_WRONG = "88888888";

/** Returns the PINs that were sent, each with its user type. */
const sent = (wrapped: Wrapped) =>
  wrapped.calls().filter((line) => line.startsWith("C_Login ")).map((line) => line.slice(8));
const USER = (pin: string) => `1 ${pin}`;
const CONTEXT = (pin: string) => `2 ${pin}`;

for (const variant of WRAPPERS) {
  const test = async (
    title: string,
    settings: WrapperSettings,
    body: (run: {
      wrapped: Wrapped;
      /** Opens the key, signs once, closes it and returns the context. */
      sign(uri: string, options?: Script): Promise<ScriptedContext>;
      expectError(uri: string, options: Script, ...parts: string[]): Promise<HelperError>;
    }) => Promise<void>,
  ) => {
    const keystore = await loadedKeystore(variant, hsm); // its PIN cache is empty
    Deno.test(`${variant.name}: ${title}`, async () => {
      using wrapped = wrap(hsm, settings);
      const sign = async (uri: string, options: Script = {}) => {
        const context = moduleContext(variant.module, options);
        await using signer = await keystore.openKey(parseUri(uri), context);
        await signer.sign(MESSAGE, "SHA-256");
        return context;
      };
      const expectError = async (uri: string, options: Script, ...parts: string[]) => {
        const error = await assertRejects(() => sign(uri, options), HelperError);
        for (const part of parts) assertStringIncludes(error.message, part);
        for (const pin of [PIN, WRONG, ALSO_WRONG]) {
          assertEquals(error.message.includes(pin), false, error.message);
        }
        return error;
      };
      await body({ wrapped, sign, expectError });
      assertEquals(wrapped.count("C_OpenSession"), wrapped.count("C_CloseSession"));
      const refused = settings["FAIL"]?.startsWith("C_Initialize") ? 1 : 0;
      assertEquals(wrapped.count("C_Initialize") - refused, wrapped.count("C_Finalize"));
    });
  };

  await test(
    "the PIN comes from pin-value, a file, the environment or the terminal",
    {},
    async ({ wrapped, sign }) => {
      const file = hsm.directory.write("pin file", `${PIN}\nmore\n`);
      const encoded = encodeURIComponent(file);
      await sign(`${KEY}?pin-value=${PIN}`);
      await sign(`${KEY}?pin-source=${file.replaceAll(" ", "%20")}`);
      await sign(`${KEY}?pin-source=file:${encoded}`);
      await sign(`${KEY}?pin-source=file://${file.replaceAll(" ", "%2520")}`);
      await sign(`${KEY}?pin-source=env:TOKEN_PIN`, { environment: { TOKEN_PIN: PIN } });
      assertEquals(sent(wrapped), Array(5).fill(USER(PIN)));
    },
  );

  await test(
    "a typed PIN is cached, and there is no prompt at the next use",
    {},
    async ({ wrapped, sign }) => {
      const first = await sign(KEY, { answers: [PIN] });
      assertEquals(first.questions, ['The PIN of token "locked": ']);
      const second = await sign(KEY);
      assertEquals(second.questions, []);
      assertEquals(sent(wrapped), [USER(PIN), USER(PIN)]);
    },
  );

  await test(
    "a missing PIN is prompted for, or reported without a terminal",
    {},
    async ({ wrapped, expectError }) => {
      const error = await expectError(KEY, {}, 'the PIN of token "locked" is needed', "pin-source");
      assertEquals(error.code, "key-locked");
      await expectError(KEY, { answers: [""] }, "was not entered");
      await expectError(`${KEY}?pin-value=`, {}, "pin-value: the PIN is empty");
      await expectError(`${KEY}?pin-source=/nonexistent`, {}, "/nonexistent cannot be read");
      await expectError(`${KEY}?pin-source=env:NO_PIN`, {}, "the variable NO_PIN is not set");
      assertEquals(sent(wrapped), []);
    },
  );

  await test(
    "a wrong PIN from the URI is sent once, however often it is used",
    {},
    async ({ wrapped, sign, expectError }) => {
      const error = await expectError(
        `${KEY}?pin-value=${WRONG}`,
        { answers: [PIN] },
        "pin-value: this is not the PIN",
      );
      assertEquals(error.code, "key-locked");
      await expectError(`${KEY}?pin-value=${WRONG}`, {}, "already rejected", "not sent again");
      await expectError(`${CAREFUL}?pin-value=${WRONG}`, {}, "not sent again");
      await sign(`${KEY}?pin-value=${PIN}`);
      assertEquals(sent(wrapped), [USER(WRONG), USER(PIN)]);
    },
  );

  await test(
    "a wrong typed PIN is prompted for again, and never sent twice",
    {},
    async ({ wrapped, sign, expectError }) => {
      const { questions } = await sign(KEY, { answers: [WRONG, WRONG, PIN] });
      assertEquals(questions, [
        'The PIN of token "locked": ',
        'That PIN is wrong. The PIN of token "locked": ',
        'That PIN was already rejected and is not sent again. The PIN of token "locked": ',
      ]);
      assertEquals(sent(wrapped), [USER(WRONG), USER(PIN)]);
      await expectError(
        `${CAREFUL}`,
        { answers: [WRONG, ALSO_WRONG, "77777777", "66666666"] },
        "3 wrong entries",
      );
    },
  );

  const tries = (left: number) => ({
    TRIES: hsm.directory.write(`tries-${crypto.randomUUID()}`, `${left}\n`),
  });

  await test(
    "before the last try a PIN from the URI is not sent, and the prompt warns",
    tries(2),
    async ({ wrapped, sign, expectError }) => {
      await expectError(`${KEY}?pin-value=${WRONG}`, {}, "one try is left before it is locked");
      await expectError(
        `${KEY}?pin-value=${ALSO_WRONG}`,
        {},
        "one try is left",
        "no PIN was sent",
        "sign-string",
      );
      assertEquals(sent(wrapped), [USER(WRONG)]);
      const { questions } = await sign(`${KEY}?pin-value=${ALSO_WRONG}`, { answers: [PIN] });
      assertEquals(questions, [
        'One try is left: a wrong PIN locks token "locked". The PIN of token "locked": ',
      ]);
      assertEquals(sent(wrapped), [USER(WRONG), USER(PIN)]);
    },
  );

  await test(
    "a token that locks itself is reported, and no more PINs are sent to it",
    tries(3),
    async ({ wrapped, expectError }) => {
      const answers = [WRONG, ALSO_WRONG, "77777777"];
      const error = await expectError(
        KEY,
        { answers },
        "is locked after too many wrong PINs",
        "PUK",
      );
      assertEquals(error.code, "key-locked");
      await expectError(`${KEY}?pin-value=${PIN}`, { answers: [PIN] }, "is locked");
      assertEquals(sent(wrapped).length, 3);
    },
  );

  await test(
    "PINs that are not set or have expired are reported",
    {},
    async ({ wrapped, expectError }) => {
      wrapped.set({ FAIL: "C_Login=0x102" });
      await expectError(
        `${KEY}?pin-value=${PIN}`,
        {},
        'token "locked" has no PIN yet',
        "--init-pin",
      );
      wrapped.set({ FAIL: "C_Login=0xa3" });
      await expectError(`${KEY}?pin-value=${PIN}`, {}, "has expired");
      wrapped.set({ FAIL: "C_Login=0x30" });
      await expectError(
        `${KEY}?pin-value=${PIN}`,
        {},
        "C_Login failed with CKR_DEVICE_ERROR (0x30)",
      );
    },
  );

  const CONTEXT_QUESTION = 'The PIN for signing with key "careful" of token "locked": ';

  await test(
    "a key that requires a PIN for each signature gets it by flag, URI, --reuse-pin or prompt",
    {},
    async ({ wrapped, sign }) => {
      const open = `${CAREFUL}?pin-value=${PIN}`;
      const file = hsm.directory.write("context pin", `${PIN}\n`);
      const source = encodeURIComponent(file);
      assertEquals((await sign(open, { answers: [PIN] })).questions, [CONTEXT_QUESTION]);
      await sign(open); // cached
      await sign(open, { secrets: { "context-pin": PIN } });
      await sign(open, { switches: ["reuse-pin"] });
      await sign(`${open}&context-pin-value=${PIN}`);
      await sign(`${open}&context-pin-source=${source}`);
      await sign(`${open}&context-pin-source=env:CONTEXT_PIN`, {
        environment: { CONTEXT_PIN: PIN },
      });
      // The flag wins.
      await sign(`${open}&context-pin-value=${WRONG}`, { secrets: { "context-pin": PIN } });
      assertEquals(sent(wrapped), Array(8).fill([USER(PIN), CONTEXT(PIN)]).flat());
      assertEquals(wrapped.count("C_Sign"), 8);
    },
  );

  await test(
    "--reuse-pin prompts when the token's PIN is not the key's",
    { FAIL: "C_Login=0xa0@2" },
    async ({ wrapped, expectError }) => {
      const open = `${CAREFUL}?pin-value=${PIN}`;
      await expectError(open, { switches: ["reuse-pin"], answers: [WRONG, ""] }, "was not entered");
      assertEquals(sent(wrapped), [USER(PIN), CONTEXT(PIN), CONTEXT(WRONG)]);
      await expectError(open, { switches: ["reuse-pin"] }, "there is no terminal", "--context-pin");
      assertEquals(sent(wrapped).slice(3), [USER(PIN)]); // a rejected PIN is not sent again
    },
  );

  await test("a wrong context PIN is not sent twice, and the signature is begun again", {
    FAIL: "C_Login=0xa0@2",
  }, async ({ wrapped, sign, expectError }) => {
    const open = `${CAREFUL}?pin-value=${PIN}`;
    const { questions } = await sign(open, { answers: [WRONG, PIN] });
    assertEquals(questions, [CONTEXT_QUESTION, `That PIN is wrong. ${CONTEXT_QUESTION}`]);
    assertEquals(sent(wrapped), [USER(PIN), CONTEXT(WRONG), CONTEXT(PIN)]);
    assertEquals([wrapped.count("C_SignInit"), wrapped.count("C_Sign")], [2, 1]);
    await expectError(
      open,
      { secrets: { "context-pin": WRONG } },
      "--context-pin",
      "not sent again",
    );
    await expectError(
      open,
      {
        secrets: { "context-pin": WRONG },
        sources: { "context-pin": { source: "AWS_SIGNING_HELPER_CONTEXT_PIN" } },
      },
      "AWS_SIGNING_HELPER_CONTEXT_PIN: already rejected",
    );
  });

  await test(
    "a PIN pad is used for both PINs",
    { PIN_PAD: PIN },
    async ({ wrapped, sign, expectError }) => {
      const { questions, messages } = await sign(CAREFUL);
      assertEquals(questions, []);
      assertEquals(messages, [
        'enter the PIN of token "locked" on the token\'s PIN pad',
        'enter the PIN for signing with key "careful" of token "locked" on the token\'s PIN pad',
      ]);
      assertEquals(sent(wrapped), [USER("PIN pad"), CONTEXT("PIN pad")]);
      wrapped.set({ FAIL: "C_Login=0x50" });
      await expectError(KEY, {}, "CKR_FUNCTION_CANCELED", "cancelled at the token");
    },
  );

  await test("a PIN pad is used again after a wrong PIN, up to the last try", {
    PIN_PAD: WRONG,
    ...tries(3),
  }, async ({ wrapped, expectError }) => {
    await expectError(KEY, {}, "one try is left", "no terminal");
    assertEquals(sent(wrapped).length, 2);
    await expectError(KEY, { answers: [""] }, "is locked after too many");
    assertEquals(sent(wrapped).length, 3);
  });

  await test(
    "a key that needs no PIN signs without one, and with one if the token requires it",
    {},
    async ({ wrapped, sign }) => {
      await sign("pkcs11:token=locked;object=open");
      assertEquals(sent(wrapped), []);
      wrapped.set({ FAIL: "C_SignInit=0x101@1" });
      await sign("pkcs11:token=locked;object=open", { answers: [PIN] });
      assertEquals(sent(wrapped), [USER(PIN)]);
      assertEquals(wrapped.count("C_Sign"), 2);
    },
  );

  await test(
    "--reuse-pin uses the URI's PIN when the token itself needs none",
    { ALWAYS: PIN },
    async ({ wrapped, sign }) => {
      await sign(`pkcs11:token=locked;object=open?pin-value=${PIN}`, { switches: ["reuse-pin"] });
      assertEquals(sent(wrapped), [CONTEXT(PIN)]);
    },
  );

  await test(
    "a module that cannot lock is used by one thread at a time",
    { FAIL: "C_Initialize=0xa@1" },
    async ({ wrapped, sign }) => {
      await sign(`${KEY}?pin-value=${PIN}`);
      assertEquals([wrapped.count("C_Initialize"), wrapped.count("C_Sign")], [2, 1]);
    },
  );
}
