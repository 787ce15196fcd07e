/**
 * What the key and certificate flags say, for the keystores: sources, secrets, debug words.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { readSource, readSourceSync } from "../files/source_file.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import type { KeystoreContext } from "../keystore/types.ts";
import {
  descriptionOf,
  type KeystoreUri,
  parseKeystoreUri,
  type Scheme,
  schemesOf,
} from "../keystore/uri.ts";
import { certSelectorValues, storeUri } from "./cert_selector.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import type { FlagName } from "./flags/flags.ts";
import { PROGRAM } from "./program.ts";
import { resolveSecret } from "./secrets.ts";
import type { Platform, System } from "./system.ts";

/** A larger file is not a password or a selector, bytes. */
const MAX_TEXT_FILE = 1 << 20;

/** Names of the platforms in messages. */
const PLATFORM_NAMES: Readonly<Record<Platform, string>> = {
  linux: "Linux",
  darwin: "macOS",
  windows: "Windows",
};

/** Where key, certificate and issuers stand, by the flags. Throws `usage` for malformed sources. */
export function identitySource(values: FlagValues, platform: Platform): IdentitySource {
  const certificate = certificateSource(values, platform);
  const privateKey = uriOf(values, "private-key");
  const intermediates = uriOf(values, "intermediates");
  return {
    ...(certificate ? { certificate } : {}),
    ...(privateKey ? { privateKey } : {}),
    ...(intermediates ? { intermediates } : {}),
  };
}

/**
 * Where the certificate stands: a source of its own, or the platform's store. A selector that
 * cannot be right is `usage` on every platform, before one without a store refuses.
 */
export function certificateSource(
  values: FlagValues,
  platform: Platform,
): KeystoreUri | undefined {
  const texts = values.list("cert-selector");
  if (!texts) return uriOf(values, "certificate");
  const source = values.sourceOf("cert-selector");
  const selected = certSelectorValues(texts, readSelector, source);
  return storeUri(storeOf(platform, source), selected);
}

/** Read once, before anything is served. */
const readSelector = (path: string) => readSourceSync(path, { maxBytes: MAX_TEXT_FILE });

/** All that the platform's store holds, as a source. Throws `keystore-unavailable`. */
export function wholeStore(platform: Platform, command: string): KeystoreUri {
  const scheme = storeOf(platform, command);
  return { ...storeUri(scheme, new Map()), displayName: `${scheme}:` };
}

/** The platform's store; refuses naming what asked for it where there is none. */
function storeOf(platform: Platform, asking: string): Scheme {
  const schemes = schemesOf(platform);
  const store = schemes.find((scheme) => descriptionOf(scheme).isStore);
  if (store) return store;
  throw new HelperError(
    "keystore-unavailable",
    `${asking}: ${PLATFORM_NAMES[platform]} has no certificate store; use --certificate with ${
      schemes.map((scheme) => `${scheme}:`).join(", ")
    }`,
  );
}

function uriOf(values: FlagValues, flag: FlagName): KeystoreUri | undefined {
  const text = values.text(flag);
  return text === undefined ? undefined : parseKeystoreUri(text, values.sourceOf(flag));
}

/**
 * What keystores may use of the world. A secret is resolved when it is asked for; one from a
 * descriptor once, as it can be read no second time.
 */
export function keystoreContext(values: FlagValues, system: System): KeystoreContext {
  const fromDescriptors = new Map<string, string>();
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
          readFile: (path) => readSource(path, { maxBytes: MAX_TEXT_FILE }),
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
    prompt: (question) => system.prompt(question),
    say: (words) => system.say(`${PROGRAM}: ${words}`),
    debug: debugWords(values, system),
    now: () => system.now(),
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    holdSignals: () => system.holdSignals(),
  };
}

/**
 * Tells a descriptor that came with the process from one that the runtime opened for itself: what
 * survives exec cannot have the close-on-exec flag. Where the system does not say (macOS), a
 * descriptor that is not open fails when it is read.
 */
function isInherited(descriptor: number): boolean {
  const CLOSE_ON_EXEC = 0o2000000;
  try {
    const info = Deno.readTextFileSync(`/proc/self/fdinfo/${descriptor}`);
    const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? "0";
    return (parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    return Deno.build.os !== "linux";
  }
}

/** Returns what logs to standard error with `--debug`, each line with a prefix of its own. */
export function debugWords(values: FlagValues, system: System): (words: string) => void {
  if (!values.isOn("debug")) return () => {};
  return (words) => {
    for (const line of words.split("\n")) system.say(`debug: ${line}`);
  };
}
