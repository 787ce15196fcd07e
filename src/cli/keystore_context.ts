/**
 * Sources of key and certificate by the flags, and the dependencies of keystores.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { readSource } from "../files/source_file.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import type { KeystoreContext } from "../keystore/types.ts";
import {
  descriptionOf,
  type KeystoreUri,
  parseInput,
  parseKeystoreUri,
  type Scheme,
  schemesOf,
} from "../keystore/uri.ts";
import { createStoreUri, readCertSelector } from "./cert_selector.ts";
import { disableCoreDumps } from "./core_dumps.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import type { FlagName } from "./flags/flags.ts";
import { PROGRAM } from "./program.ts";
import { isInherited } from "../runtime/descriptor.ts";
import { resolveSecret } from "./secrets.ts";
import type { Platform, System } from "./system.ts";

/** Maximum size of a password or selector file, bytes. */
const MAX_TEXT_FILE_BYTES = 1 << 20;

/** Flags that name a key or certificate. */
export const SOURCE_FLAGS = [
  "certificate",
  "private-key",
  "intermediates",
] as const satisfies FlagName[];

/** Names of the platforms in messages. */
const PLATFORM_NAMES: Readonly<Record<Platform, string>> = {
  linux: "Linux",
  darwin: "macOS",
  windows: "Windows",
};

/** Reads the sources of key, certificate and issuers from the flags. Throws `usage` if malformed. */
export async function readIdentitySource(
  values: FlagValues,
  platform: Platform,
): Promise<IdentitySource> {
  const certificate = await readCertificateSource(values, platform);
  const privateKey = readUri(values, "private-key");
  const intermediates = readUri(values, "intermediates");
  return {
    ...(certificate ? { certificate } : {}),
    ...(privateKey ? { privateKey } : {}),
    ...(intermediates ? { intermediates } : {}),
  };
}

/**
 * Reads the certificate's source: `--certificate`, or `--cert-selector` for the platform's store. A
 * malformed selector is `usage` on every platform, also on one without a store.
 */
export async function readCertificateSource(
  values: FlagValues,
  platform: Platform,
): Promise<KeystoreUri | undefined> {
  const texts = values.list("cert-selector");
  if (!texts) return readUri(values, "certificate");
  const source = values.sourceOf("cert-selector");
  const selected = await readCertSelector(texts, readSelector, source);
  return createStoreUri(requireStore(platform, source), selected);
}

const readSelector = (path: string) => readSource(path, { maxBytes: MAX_TEXT_FILE_BYTES });

/** Returns a URI for all certificates of the platform's store. Throws `keystore-unavailable`. */
export function createWholeStoreUri(platform: Platform, command: string): KeystoreUri {
  const scheme = requireStore(platform, command);
  return { ...createStoreUri(scheme, new Map()), displayName: `${scheme}:` };
}

/** Returns the scheme of the platform's store. The error names the flag or command that needs it. */
function requireStore(platform: Platform, requestedBy: string): Scheme {
  const store = schemesOf(platform).find((scheme) => descriptionOf(scheme).isStore);
  if (store) return store;
  throw new HelperError(
    "keystore-unavailable",
    `${requestedBy}: ${
      PLATFORM_NAMES[platform]
    } has no certificate store; use --certificate with a file or a pkcs11: URI`,
  );
}

function readUri(values: FlagValues, flag: FlagName): KeystoreUri | undefined {
  const text = values.text(flag);
  return text === undefined ? undefined : parseKeystoreUri(text, values.sourceOf(flag));
}

/**
 * Creates the dependencies of keystores. A secret is resolved on demand. One from a descriptor is
 * kept, because a descriptor can be read only once. Variables with a key or certificate are removed
 * from the environment.
 */
export function createKeystoreContext(values: FlagValues, system: System): KeystoreContext {
  for (const flag of SOURCE_FLAGS) {
    const input = parseInput(values.text(flag) ?? "");
    if (input) system.inputs.hold(input);
  }
  const fromDescriptors = new Map<string, string>();
  let coreDumps: Promise<void> | undefined;
  return {
    secret: (name) => {
      const source = values.secretSource(name);
      if (!source) return Promise.resolve(undefined);
      if (source.literal) return Promise.resolve(source.text);
      const known = fromDescriptors.get(source.text);
      if (known !== undefined) return Promise.resolve(known);
      return Promise.resolve().then(async () => {
        const secret = await resolveSecret(source.text, values.sourceOf(name), {
          environment: (variable) => system.environment(variable),
          readFile: (path) => readSource(path, { maxBytes: MAX_TEXT_FILE_BYTES }),
          isInherited,
          windows: system.platform === "windows",
        });
        if (source.text.startsWith("fd:")) fromDescriptors.set(source.text, secret);
        return secret;
      });
    },
    setting: (name, only) => only === "given" ? values.given(name) : values.text(name),
    isOn: (name) => values.isOn(name),
    environment: (name) => system.environment(name),
    readInput: async (input) => {
      await (coreDumps ??= disableCoreDumps(system));
      return await system.inputs.read(input);
    },
    prompt: (question) => system.prompt(question),
    info: (message) => system.log(`${PROGRAM}: ${message}`),
    debug: debugLogger(values, system),
    now: () => system.now(),
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    holdSignals: () => system.holdSignals(),
  };
}

/** Returns a logger to standard error for `--debug`. Each line has the prefix `debug: `. */
export function debugLogger(values: FlagValues, system: System): (message: string) => void {
  if (!values.isOn("debug")) return () => {};
  return (message) => {
    for (const line of message.split("\n")) system.log(`debug: ${line}`);
  };
}
