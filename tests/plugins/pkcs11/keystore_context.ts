import { Pkcs11Keystore } from "../../../plugins/pkcs11/keystore.ts";
import { type Layout, LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { TIMEOUTS, type Timeouts } from "../../../plugins/pkcs11/cryptoki/timeouts.ts";
import { type KeystoreUri, parseKeystoreUri } from "../../../src/keystore/uri.ts";
import type { SoftHsm } from "../../support/soft_hsm.ts";
import type { Variant } from "./variants.ts";
import {
  type Script,
  type ScriptedContext,
  scriptedContext,
} from "../../support/scripted_context.ts";

/** Creates a context with the module of `--pkcs11-lib`. */
export function moduleContext(module: string, script: Script = {}): ScriptedContext {
  return scriptedContext({ ...script, settings: { "pkcs11-lib": module } });
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
  await keystore.listCertificates(parseUri("pkcs11:"), moduleContext(module));
  return keystore;
}

/** Parses a `pkcs11:` URI. */
export function parseUri(text: string): KeystoreUri {
  return parseKeystoreUri(text, "--private-key");
}
