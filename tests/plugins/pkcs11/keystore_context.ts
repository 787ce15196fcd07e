import { Pkcs11Keystore } from "../../../plugins/pkcs11/keystore.ts";
import { type Layout, LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { TIME_LIMITS, type TimeLimits } from "../../../plugins/pkcs11/cryptoki/timeouts.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";
import type { SoftHsm } from "../../support/soft_hsm.ts";
import type { Variant } from "./variants.ts";

/** What a test's user gives. */
export interface Given {
  /** `--pkcs11-lib`. */
  readonly module?: string;
  /** PKCS11_MODULE_PATH. */
  readonly moduleVariable?: string;
  readonly contextPin?: string;
  readonly reusePin?: boolean;
  /** `--use-latest-expiring-certificate`. */
  readonly useLatest?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** Answers to give in turn; absent: there is no terminal. */
  readonly answers?: readonly string[];
}

/** A context that answers from a script and keeps what it was asked and told. */
export interface ScriptedContext extends KeystoreContext {
  readonly questions: string[];
  readonly said: string[];
  readonly debugged: string[];
}

/** Makes a {@link ScriptedContext}. */
export function scriptedContext(given: Given = {}): ScriptedContext {
  const [questions, said, debugged]: [string[], string[], string[]] = [[], [], []];
  return {
    ...NO_CONTEXT,
    questions,
    said,
    debugged,
    secret: (name) => Promise.resolve(name === "context-pin" ? given.contextPin : undefined),
    setting: (_name, only) => given.module ?? (only ? undefined : given.moduleVariable),
    isOn: (name) =>
      name === "reuse-pin" ? given.reusePin === true : given.useLatest === true &&
        name === "use-latest-expiring-certificate",
    environment: (name) => given.environment?.[name],
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(given.answers?.[questions.length - 1]);
    },
    info: (words) => said.push(words),
    debug: (words) => debugged.push(words),
  };
}

/** A keystore of its own, with nothing loaded yet. */
export function createKeystore(
  layout: Layout = LAYOUTS.natural,
  limits: Partial<TimeLimits> = {},
  directories: readonly string[] = [],
): Pkcs11Keystore {
  return new Pkcs11Keystore({
    platform: "linux",
    architecture: Deno.build.arch,
    layout,
    limits: { ...TIME_LIMITS, ...limits },
    ...(directories.length > 0 ? { directories } : {}),
  });
}

/**
 * A keystore that has the module loaded before a test begins: it stays loaded, as in the program,
 * which the test's leak check would take amiss.
 */
export async function loadedKeystore(
  { module, layout }: Variant,
  hsm: SoftHsm,
  limits: Partial<TimeLimits> = {},
): Promise<Pkcs11Keystore> {
  const keystore = createKeystore(layout, limits);
  using _ = hsm.enter();
  await keystore.listCertificates(uriOf("pkcs11:"), scriptedContext({ module }));
  return keystore;
}

/** A parsed `pkcs11:` URI. */
export function uriOf(text: string): KeystoreUri {
  return parseKeystoreUri(text, "--private-key");
}
