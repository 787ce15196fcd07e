import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runBinary, type RunOptions } from "../support/binary.ts";
import { createAuthority, issueCertificate, type KeyType } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { compileModule, PROXY, SOFTHSM } from "../support/pkcs11_modules.ts";
import { PIN, SoftHsm } from "../support/soft_hsm.ts";
import { testMessage } from "../support/test_message.ts";

const KEY_TYPES: readonly KeyType[] = ["rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ec-p521"];
const DIGESTS = ["SHA256", "SHA384", "SHA512"] as const;
const WRONG = "99999999";

const hsm = new SoftHsm();
globalThis.addEventListener("unload", () => hsm[Symbol.dispose]());
const token = await hsm.token("machine");
const authority = await createAuthority(hsm.directory, { subject: "/CN=Authority" });
const publicKeys = new Map<KeyType, string>();
for (const [i, keyType] of KEY_TYPES.entries()) {
  const subject = `/CN=${keyType}`;
  const { keyPath, certificatePath } = await issueCertificate(authority, { subject, keyType });
  await token.importKey(keyPath, { id: `0${i}`, label: keyType });
  await token.importCertificate(certificatePath, { id: `0${i}`, label: keyType });
  await token.importKey(keyPath, {
    id: `1${i}`,
    label: `${keyType} careful`,
    alwaysAuthenticate: true,
  });
  await token.importCertificate(certificatePath, { id: `1${i}`, label: `${keyType} careful` });
  const publicKey = await openssl(["pkey", "-in", keyPath, "-pubout"]);
  publicKeys.set(keyType, hsm.directory.write(`${keyType}.pub`, publicKey));
}

const sign = (uri: string, flags: readonly string[], options: RunOptions = {}) =>
  runBinary(["sign-string", "--private-key", uri, ...flags], {
    ...options,
    env: { ...hsm.env, ...options.env },
  });

async function verify(keyType: KeyType, digest: string, signature: Uint8Array): Promise<void> {
  const publicKey = publicKeys.get(keyType) ?? "";
  const message = testMessage(await Deno.readTextFile(publicKey));
  const path = hsm.directory.write(`signature-${crypto.randomUUID()}`, signature);
  const args = ["dgst", `-${digest.toLowerCase()}`, "-verify", publicKey, "-signature", path];
  assertEquals(new TextDecoder().decode(await openssl(args, { stdin: message })), "Verified OK\n");
}

for (
  const [name, module] of [["SoftHSM", SOFTHSM], ["p11-kit's proxy", PROXY], ["what is found", ""]]
) {
  for (const keyType of KEY_TYPES) {
    Deno.test(`sign-string signs with ${keyType} through ${name}, and openssl verifies`, async () => {
      const flags = module ? ["--pkcs11-lib", module] : [];
      for (const [i, digest] of DIGESTS.entries()) {
        // One of the two kinds of key in turn; the three digests cover both.
        const object = i === 1 ? `${keyType}%20careful` : keyType;
        const uri = `pkcs11:token=machine;object=${object}?pin-value=${PIN}`;
        const more = ["--format=bin", "--digest", digest, "--reuse-pin"];
        const { code, stdoutBytes, stderr } = await sign(uri, [...flags, ...more]);
        assertEquals({ code, stderr }, { code: 0, stderr: "" });
        await verify(keyType, digest, stdoutBytes);
      }
    });
  }
}

const KEY = "pkcs11:token=machine;object=ec-p256";
const CAREFUL = `${KEY}%20careful?pin-value=${PIN}`;
const LIBRARY = ["--pkcs11-lib", SOFTHSM];

Deno.test("sign-string takes the PIN and the context PIN from the URI, a file or the environment", async () => {
  const file = hsm.directory.write("pin", `${PIN}\n`);
  const runs: [string, string[], Record<string, string>][] = [
    [`${KEY}?pin-value=${PIN}`, [], {}],
    [`${KEY}?pin-source=file:${file}`, [], {}],
    [`${KEY}?pin-source=env:TOKEN_PIN`, [], { TOKEN_PIN: PIN }],
    [CAREFUL, ["--reuse-pin"], {}],
    [CAREFUL, [`--context-pin=file:${file}`], {}],
    [CAREFUL, ["--context-pin=env:TOKEN_PIN"], { TOKEN_PIN: PIN }],
    [CAREFUL, [], { AWS_SIGNING_HELPER_CONTEXT_PIN: `file:${file}` }],
    [`${CAREFUL}&context-pin-value=${PIN}`, [], {}],
    [`${CAREFUL}&context-pin-source=${file}`, [], {}],
  ];
  for (const [uri, flags, env] of runs) {
    const { code, stdout, stderr } = await sign(uri, [...LIBRARY, ...flags], { env });
    assertEquals({ uri, code, stderr }, { uri, code: 0, stderr: "" });
    assertMatch(stdout, /^"[0-9a-f]{100,}"\n$/);
  }
});

Deno.test("sign-string takes the PIN in the certificate's URI for the key's, on the same token only", async () => {
  const certificate = `${KEY};type=cert?pin-value=${PIN}`;
  const run = (privateKey: string) =>
    runBinary(
      ["sign-string", "--certificate", certificate, "--private-key", privateKey, ...LIBRARY],
      { env: hsm.env },
    );
  for (const privateKey of [KEY, "pkcs11:object=ec-p256;type=private"]) {
    const { code, stdout, stderr } = await run(privateKey);
    assertEquals({ privateKey, code, stderr }, { privateKey, code: 0, stderr: "" });
    assertMatch(stdout, /^"[0-9a-f]{100,}"\n$/);
  }
  const wrong = await run(`${KEY}?pin-value=${WRONG}`);
  assertEquals([wrong.code, wrong.stdout], [3, ""]);
  assertMatch((await run("pkcs11:token=other;object=ec-p256")).stderr, /no token matches/);
});

Deno.test("sign-string looks for the module by flag, then URI, then PKCS11_MODULE_PATH", async () => {
  const uri = `${KEY}?pin-value=${PIN}`;
  const env = { PKCS11_MODULE_PATH: "/no/such.so" };
  const runs: [string, string[], Record<string, string>, number][] = [
    [uri, LIBRARY, env, 0],
    [`${uri}&module-path=${SOFTHSM}`, [], env, 0],
    [`${uri}&module-name=softhsm2`, [], env, 0],
    [uri, [], env, 3],
    [`${uri}&module-path=/no/such.so`, LIBRARY, {}, 0],
    [`${uri}&module-path=/no/such.so`, [], { PKCS11_MODULE_PATH: SOFTHSM }, 3],
    [uri, [], { AWS_SIGNING_HELPER_PKCS11_LIB: SOFTHSM, PKCS11_MODULE_PATH: "/no/such.so" }, 0],
    [uri, [], { PKCS11_MODULE_PATH: SOFTHSM }, 0],
  ];
  for (const [source, flags, variables, expected] of runs) {
    const { code, stderr } = await sign(source, flags, { env: variables });
    assertEquals({ source, flags, code }, { source, flags, code: expected }, stderr);
    assertEquals(stderr.includes("/no/such.so does not exist"), expected === 3);
  }
});

/** Errors, each one sentence, without the PIN and with exit code 3. */
const ERRORS: Record<string, [string, string[], RegExp]> = {
  "no PIN": [KEY, [], /the PIN of token "machine" is needed and there is no terminal/],
  "a wrong PIN": [
    `${KEY}?pin-value=${WRONG}`,
    [],
    /pin-value: this is not the PIN of token "machine"/,
  ],
  "no context PIN": [
    CAREFUL,
    [],
    /the PIN for signing with key "ec-p256 careful" of token "machine" is needed/,
  ],
  "a wrong context PIN": [
    CAREFUL,
    ["--context-pin", WRONG],
    /--context-pin: this is not the PIN for signing/,
  ],
  "no such token": ["pkcs11:token=other", [], /no token matches/],
  "no such object": [
    `pkcs11:token=machine;object=other?pin-value=${PIN}`,
    [],
    /no certificate or private key matches in token "machine"/,
  ],
  "several keys": [
    `pkcs11:token=machine;type=private?pin-value=${PIN}`,
    [],
    /10 private keys match; name one: pkcs11:model=/,
  ],
  "a file that is not a module": [
    KEY,
    ["--pkcs11-lib", "/etc/passwd"],
    /\/etc\/passwd cannot be loaded: invalid ELF header/,
  ],
};

for (const [what, [uri, flags, message]] of Object.entries(ERRORS)) {
  Deno.test(`sign-string ends with 3 and one sentence when there is ${what}`, async () => {
    const { code, stdout, stderr } = await sign(uri, [...LIBRARY, ...flags]);
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    assertMatch(stderr, message);
    assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/);
    for (const pin of [PIN, WRONG]) assertEquals(stderr.includes(pin), false);
  });
}

for (const name of ["segfault", "abort", "exit", "empty"] as const) {
  Deno.test(`sign-string ends with 3 and one sentence when loading the module means: ${name}`, async () => {
    const { code, stdout, stderr } = await sign(KEY, ["--pkcs11-lib", await compileModule(name)]);
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    assertMatch(
      stderr,
      new RegExp(`^aws_signing_helper: --pkcs11-lib: [^\\n]*${name}\\.so [^\\n]+\\n$`),
    );
  });
}

Deno.test("a module that crashes is an error message, also in a folder with blanks", async () => {
  const folder = hsm.directory.join("a b:c");
  Deno.mkdirSync(folder);
  Deno.copyFileSync(await compileModule("abort"), `${folder}/abort.so`);
  const { code, stderr } = await sign(KEY, ["--pkcs11-lib", `${folder}/abort.so`]);
  assertEquals(code, 3);
  assertMatch(
    stderr,
    /^aws_signing_helper: [^\n]+ crashes \(SIGABRT\) while it is loaded; [^\n]+\n$/,
  );
});

Deno.test("sign-string names the call and its return value when the module fails, and ends", async () => {
  const module = ["--pkcs11-lib", await compileModule("wrapper")];
  const uri = `${KEY}?pin-value=${PIN}`;
  for (const call of ["C_Initialize", "C_OpenSession", "C_FindObjects", "C_Login", "C_Sign"]) {
    const { code, stdout, stderr } = await sign(uri, module, {
      env: { WRAPPER_FAIL: `${call}=0x30` },
    });
    assertEquals({ code, stdout }, { code: 3, stdout: "" });
    assertStringIncludes(stderr, `${call} failed with CKR_DEVICE_ERROR (0x30)`);
  }
});

Deno.test("an exit handler of the module does not change the exit code", async () => {
  const module = ["--pkcs11-lib", await compileModule("wrapper")];
  const env = { WRAPPER_EXIT: "1" };
  const signed = await sign(`${KEY}?pin-value=${PIN}`, module, { env });
  assertEquals({ code: signed.code, stderr: signed.stderr }, { code: 0, stderr: "" });
  const refused = await sign(`${KEY}?pin-value=${WRONG}`, module, { env });
  assertEquals({ code: refused.code, stdout: refused.stdout }, { code: 3, stdout: "" });
  assertMatch(refused.stderr, /^aws_signing_helper: [^\n]+\n$/);
});

Deno.test("--debug logs the module and the logins, but never a PIN", async () => {
  const { code, stderr } = await sign(CAREFUL, [...LIBRARY, "--debug", "--context-pin", PIN]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, `debug: PKCS#11 module: ${SOFTHSM}\n`);
  assertStringIncludes(stderr, 'debug: logging in to token "machine"\n');
  assertEquals(stderr.includes(PIN), false);
});
