/**
 * Opens mutated key files like the program, and checks the errors.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";
import { keystore } from "../../plugins/file/mod.ts";
import { createKeystore } from "../../plugins/tpm/mod.ts";
import { HelperError } from "../../src/errors.ts";
import type { KeystoreContext } from "../../src/keystore/types.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../src/keystore/uri.ts";
import { passphraseContext } from "../plugins/file/keystore_context.ts";
import { createAuthority } from "../support/certificates.ts";
import type { Mutator } from "../support/mutator.ts";
import { openssl } from "../support/openssl.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import type { OpenFuzzer, Outcome } from "./fuzzer.ts";

/** Passphrase of every encrypted fixture. */
export const PASSPHRASE = "correct-horse-battery-staple";

/** Files by name; each is opened unchanged first. */
export type Fixtures = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Keys and certificates of one RSA and one EC authority, made by openssl. */
export class FixtureMaker {
  private constructor(
    private readonly directory: TemporaryDirectory,
    readonly rsa: { keyPath: string; certificatePath: string },
    readonly ec: { keyPath: string; certificatePath: string },
  ) {}

  static async create(directory: TemporaryDirectory): Promise<FixtureMaker> {
    const rsa = await createAuthority(directory, { subject: "/CN=rsa", keyType: "rsa-1024" });
    const ec = await createAuthority(directory, { subject: "/CN=ec", keyType: "ec-p384" });
    return new FixtureMaker(directory, rsa, ec);
  }

  /** Runs openssl with `-out` and returns the file. */
  async make(args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
    const path = this.directory.join("made");
    await openssl([...args, "-out", path]);
    return await Deno.readFile(path);
  }

  /** Runs `openssl pkcs8 -topk8` on a key. */
  async pkcs8(keyPath: string, ...options: string[]): Promise<Uint8Array<ArrayBuffer>> {
    return await this.make(["pkcs8", "-topk8", "-in", keyPath, ...options]);
  }
}

/** Opens mutated fixtures until it is disposed. */
export async function openKeyFiles(
  fixtures: Fixtures,
  mutator: Mutator,
  directory: TemporaryDirectory,
): Promise<OpenFuzzer> {
  const samples = [...fixtures].map(([name, bytes]) => ({
    name,
    bytes,
    secrets: secretsOf(bytes),
  }));
  for (const { name, bytes } of samples) {
    const outcome = await tryFile(directory.write("whole", bytes));
    if (outcome.outcome !== "opened") throw new Error(`${name}: ${outcome.outcome}`);
  }
  return {
    async round(): Promise<Outcome> {
      const { name, bytes, secrets } = mutator.pick(samples);
      const path = directory.write("mutated", mutator.mutate(bytes));
      const { outcome, said } = await tryFile(path);
      const leak = secrets.findIn(said);
      if (leak !== undefined) throw new Error(`${name}: a message repeats ${leak}`);
      return outcome;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Checks that no message repeats a part of the file, which is secret as a whole. */
function secretsOf(bytes: Uint8Array): SecretWindows {
  const secrets = new SecretWindows().addText("the passphrase", PASSPHRASE);
  const text = new TextDecoder("latin1").decode(bytes);
  const bodies = [...text.matchAll(/-----BEGIN [^-]*-----(.*?)-----END/gs)];
  if (bodies.length === 0) {
    // The description of a TPM key is public: prompts and debug lines contain it.
    return secrets.addBytes("the file", bytes).addText("the file's text", text)
      .except("of the build server");
  }
  for (const [, body = ""] of bodies) {
    const base64 = body.split(/\r?\n|\\n/).filter((line) => !line.includes(":")).join("");
    secrets.addText("the PEM's base64", base64);
    try {
      secrets.addBytes("the PEM's bytes", decodeBase64(base64.trim()));
    } catch {
      // a fixture that is damaged already
    }
  }
  return secrets;
}

/** Opens a file for its key and its certificates. Returns every message. */
async function tryFile(path: string): Promise<{ outcome: Outcome; said: string }> {
  const uri = parseKeystoreUri(path, "--private-key");
  const context = passphraseContext(PASSPHRASE);
  const errors: string[] = [];
  const outcomes = new Set<Outcome>();
  for (const open of [openAndSign, keystore.readCertificates]) {
    try {
      await open(uri, context);
      outcomes.add("opened");
    } catch (thrown) {
      if (!(thrown instanceof HelperError)) throw thrown;
      errors.push(thrown.message);
      outcomes.add(thrown.code);
    }
  }
  const outcome = outcomes.has("opened") ? "opened" : [...outcomes].join("+");
  const { questions, messages, debugMessages } = context;
  return { outcome, said: [...questions, ...messages, ...debugMessages, ...errors].join("\n") };
}

async function openAndSign(uri: KeystoreUri, context: KeystoreContext): Promise<void> {
  const opened = await keystore.openKey(uri, context);
  if ("target" in opened) {
    // A key of a TPM is read here, and signs only there.
    const inTpm = await createKeystore("linux").openKey(opened.target, context);
    if ("sign" in inTpm) await inTpm[Symbol.asyncDispose]();
    return;
  }
  if (!("sign" in opened)) throw new Error("the key of a file is not a signer");
  await opened.sign(Uint8Array.of(1), "SHA-256");
  await opened[Symbol.asyncDispose]();
}
