import { BINARY } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import {
  checkIdentity,
  checkNoMatch,
  issueUnique,
  PKCS12_PASSWORD,
  runTool,
  STORE_KEY_TYPES,
  writePkcs12,
} from "./stored_identity.ts";

const PASSWORD = "keychain-1234";

/** Real keychain in a temporary folder, first in the user's search list until it is disposed of. */
class Keychain implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly #path = this.#directory.join("test.keychain-db");
  #before: readonly string[] = [];

  static async create(): Promise<Keychain> {
    const keychain = new Keychain();
    await security("create-keychain", "-p", PASSWORD, keychain.#path);
    // No timeout, and no lock when the machine sleeps.
    await security("set-keychain-settings", keychain.#path);
    await keychain.unlock();
    const listed = await security("list-keychains", "-d", "user");
    keychain.#before = [...listed.matchAll(/"([^"]+)"/g)].map(([, path = ""]) => path);
    await security("list-keychains", "-d", "user", "-s", keychain.#path, ...keychain.#before);
    return keychain;
  }

  async unlock(): Promise<void> {
    await security("unlock-keychain", "-p", PASSWORD, this.#path);
  }

  async lock(): Promise<void> {
    await security("lock-keychain", this.#path);
  }

  /** Imports a PKCS#12 file, and allows the binary to use its key without a question. */
  async import(pkcs12: string): Promise<void> {
    const password = ["-P", PKCS12_PASSWORD];
    await security("import", pkcs12, "-k", this.#path, "-f", "pkcs12", ...password, "-T", BINARY);
    const partitions = ["apple-tool:", "apple:", "unsigned:", ...await codeDirectoryHash()];
    const list = ["-S", partitions.join(","), "-s", "-k", PASSWORD];
    await security("set-key-partition-list", ...list, this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await security("list-keychains", "-d", "user", "-s", ...this.#before);
    await security("delete-keychain", this.#path);
    this.#directory[Symbol.dispose]();
  }
}

async function security(...args: readonly string[]): Promise<string> {
  return await runTool("security", args);
}

/** Returns the partition of a program with an ad-hoc signature; none if it is not signed. */
async function codeDirectoryHash(): Promise<string[]> {
  const { stderr } = await new Deno.Command("codesign", { args: ["-dvvv", BINARY] }).output();
  const [, hash] = /^CDHash=([0-9a-f]+)$/m.exec(new TextDecoder().decode(stderr)) ?? [];
  return hash === undefined ? [] : [`cdhash:${hash}`];
}

/** The search list of keychains is in the user's home. */
const env = { HOME: Deno.env.get("HOME") ?? "" };

for (const keyType of STORE_KEY_TYPES) {
  testWith(
    ["binary", "keychain"],
    `keychain: ${keyType} key in a real keychain: selftest, sign-string, credential-process`,
    async () => {
      await using scenario = await SessionScenario.create();
      await using keychain = await Keychain.create();
      const { commonName, files } = await issueUnique(scenario, keyType);
      await keychain.import(await writePkcs12(files));
      const flags = ["--cert-selector", `Key=x509Subject,Value=CN=${commonName}`];
      await checkIdentity(scenario, { files, keyType, flags, env });
      const uri = `keychain:x509Subject=${encodeURIComponent(`CN=${commonName}`)}`;
      await checkIdentity(scenario, { files, keyType, flags: ["--certificate", uri], env });
    },
  );
}

testWith(
  ["binary", "keychain"],
  "keychain: a locked real keychain is unlocked with its password",
  async () => {
    await using scenario = await SessionScenario.create();
    await using keychain = await Keychain.create();
    const { commonName, files } = await issueUnique(scenario, "ec-p256");
    await keychain.import(await writePkcs12(files));
    const flags = ["--cert-selector", `Key=x509Subject,Value=CN=${commonName}`];
    // Each command of the checks finds it unlocked after the first one.
    await keychain.lock();
    await checkIdentity(scenario, {
      files,
      keyType: "ec-p256",
      flags,
      env: { ...env, CREDENTIAL_HELPER_KEYCHAIN_PASSWORD: PASSWORD },
    });
  },
);

testWith(
  ["binary", "keychain"],
  "keychain: a selector without a match in the real keychains fails",
  async () => {
    await using scenario = await SessionScenario.create();
    await checkNoMatch(scenario, env);
  },
);
