/**
 * The `pkcs11:` keystore: keys and certificates on smart cards, HSMs and other tokens. They are
 * named by RFC 7512 URIs and reached through a PKCS#11 module.
 *
 * Imports no package, and loads a module only when a key or certificate is requested.
 *
 * @module
 */
import { Pkcs11Keystore } from "./keystore.ts";
import { LAYOUTS } from "./cryptoki/layout.ts";
import type { Platform } from "./module/paths.ts";
import { TIMEOUTS } from "./cryptoki/timeouts.ts";

const PLATFORMS: Readonly<Record<string, Platform>> = { darwin: "darwin", windows: "windows" };

/** The keystore of PKCS#11 tokens on this system. */
export const keystore = new Pkcs11Keystore({
  platform: PLATFORMS[Deno.build.os] ?? "linux",
  architecture: Deno.build.arch,
  layout: Deno.build.os === "windows" ? LAYOUTS.windows : LAYOUTS.natural,
  timeouts: TIMEOUTS,
});
