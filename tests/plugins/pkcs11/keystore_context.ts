import { Pkcs11Keystore } from "../../../plugins/pkcs11/keystore.ts";
import { type Layout, LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { TIMEOUTS, type Timeouts } from "../../../plugins/pkcs11/cryptoki/timeouts.ts";
import type { KeystoreContext } from "../../../src/keystore/types.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../../src/keystore/uri.ts";
import { NO_CONTEXT } from "../../keystore/fake_keystore.ts";
import type { SoftHsm } from "../../support/soft_hsm.ts";
import type { Variant } from "./variants.ts";

/** Options of a scripted context. */
export interface ContextOptions {
  /** `--pkcs11-lib`. */
  readonly module?: string;
  /** PKCS11_MODULE_PATH. */
  readonly moduleVariable?: string;
  readonly contextPin?: string;
  readonly reusePin?: boolean;
  /** `--use-latest-expiring-certificate`. */
  readonly useLatest?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** Answers to the prompts, in order; without them there is no terminal. */
  readonly answers?: readonly string[];
}

/** Context that answers from a script, and records prompts and messages. */
export interface ScriptedContext extends KeystoreContext {
  readonly questions: string[];
  readonly messages: string[];
  readonly debugMessages: string[];
}

/** Creates a {@link ScriptedContext}. */
export function scriptedContext(options: ContextOptions = {}): ScriptedContext {
  const [questions, messages, debugMessages]: [string[], string[], string[]] = [[], [], []];
  return {
    ...NO_CONTEXT,
    questions,
    messages,
    debugMessages,
    secret: (name) => Promise.resolve(name === "context-pin" ? options.contextPin : undefined),
    setting: (_name, only) => options.module ?? (only ? undefined : options.moduleVariable),
    isOn: (name) =>
      name === "reuse-pin" ? options.reusePin === true : options.useLatest === true &&
        name === "use-latest-expiring-certificate",
    environment: (name) => options.environment?.[name],
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(options.answers?.[questions.length - 1]);
    },
    info: (message) => messages.push(message),
    debug: (message) => debugMessages.push(message),
  };
}

/** Creates a keystore with no module loaded. */
export function createKeystore(
  layout: Layout = LAYOUTS.natural,
  timeouts: Partial<Timeouts> = {},
  directories: readonly string[] = [],
): Pkcs11Keystore {
  return new Pkcs11Keystore({
    platform: "linux",
    architecture: Deno.build.arch,
    layout,
    timeouts: { ...TIMEOUTS, ...timeouts },
    ...(directories.length > 0 ? { directories } : {}),
  });
}

/**
 * Creates a keystore and loads the module before a test begins. The module stays loaded, which the
 * test's leak check would report.
 */
export async function loadedKeystore(
  { module, layout }: Variant,
  hsm: SoftHsm,
  timeouts: Partial<Timeouts> = {},
): Promise<Pkcs11Keystore> {
  const keystore = createKeystore(layout, timeouts);
  using _ = hsm.enter();
  await keystore.listCertificates(parseUri("pkcs11:"), scriptedContext({ module }));
  return keystore;
}

/** Parses a `pkcs11:` URI. */
export function parseUri(text: string): KeystoreUri {
  return parseKeystoreUri(text, "--private-key");
}
