/**
 * Sources of key and certificate by the flags, and the dependencies of keystores.
 *
 * @module
 */
import { readSource } from "../files/source_file.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import type { GivenSecret, KeystoreContext } from "../keystore/types.ts";
import { type KeystoreUri, parseInput, parseKeystoreUri } from "../keystore/uri.ts";
import { disableCoreDumps } from "./core_dumps.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import type { FlagName } from "./flags/flags.ts";
import { PROGRAM } from "./program.ts";
import type { Platform, System } from "./system.ts";

/** Maximum size of a password or selector file, bytes. */
const MAX_TEXT_FILE_BYTES = 1 << 20;

/** Flags that name a key or certificate. */
export const SOURCE_FLAGS = [
  "certificate",
  "private-key",
  "intermediates",
] as const satisfies FlagName[];

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
  const { selectFromStore } = await import("./cert_selector.ts");
  return await selectFromStore(texts, readSelector, platform, values.sourceOf("cert-selector"));
}

const readSelector = (path: string) => readSource(path, { maxBytes: MAX_TEXT_FILE_BYTES });

function readUri(values: FlagValues, flag: FlagName): KeystoreUri | undefined {
  const text = values.text(flag);
  if (text === undefined) return undefined;
  const source = values.sourceOf(flag);
  const uri = parseKeystoreUri(text, source);
  return source === `--${flag}` ? uri : { ...uri, source };
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
  const fromDescriptors = new Map<string, GivenSecret>();
  let coreDumps: Promise<void> | undefined;
  return {
    secret: (name) => {
      const given = values.secretSource(name);
      if (!given) return Promise.resolve(undefined);
      const source = values.sourceOf(name);
      if (given.literal) return Promise.resolve({ text: given.text, source });
      const known = fromDescriptors.get(given.text);
      if (known) return Promise.resolve({ ...known, source });
      return Promise.resolve().then(async () => {
        const { describeOrigin, resolveSecret } = await import("./secrets.ts");
        const { isInherited } = await import("../runtime/descriptor.ts");
        const text = await resolveSecret(given.text, source, {
          environment: (variable) => system.environment(variable),
          readFile: (path) => readSource(path, { maxBytes: MAX_TEXT_FILE_BYTES }),
          isInherited,
          windows: system.platform === "windows",
        });
        const origin = describeOrigin(given.text);
        const secret = { text, source, ...(origin ? { origin } : {}) };
        if (given.text.startsWith("fd:")) fromDescriptors.set(given.text, secret);
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
