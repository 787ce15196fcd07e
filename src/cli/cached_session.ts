/**
 * `credential-process --cache`: the cached session of an earlier run, or a new one.
 *
 * @module
 */
import { cacheKey } from "../credentials/cache/cache_key.ts";
import { SessionCache } from "../credentials/cache/session_cache.ts";
import { readSource } from "../files/source_file.ts";
import { SourceError } from "../files/source_error.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import { fileOf } from "../keystore/uri.ts";
import { withSource } from "../keystore/with_source.ts";
import type { VendedSession } from "../credentials/refresh/session.ts";
import type { SessionCredentials } from "../rolesanywhere/create_session.ts";
import { warmUpTls } from "../http/tls_warm_up.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import { createKeystoreContext, debugLogger } from "./keystore_context.ts";
import { cacheDirectoryPath } from "./paths.ts";
import type { System } from "./system.ts";

/** Maximum size of a certificate file, bytes. */
const MAX_CERTIFICATE_BYTES = 4 << 20;

/**
 * Returns the session for `request`, from the cache or from `vend`. A cached session needs neither
 * the private key nor the network.
 */
export async function vendWithCache(
  values: FlagValues,
  system: System,
  source: IdentitySource,
  request: VendedSession,
  vend: () => Promise<SessionCredentials>,
): Promise<SessionCredentials> {
  const warn = (message: string) => system.log(`warning: ${message}`);
  const directory = cacheDirectoryPath(values, system);
  const certificate = await readCertificateBytes(values, system, source, warn);
  if (!certificate) return await vend();
  const key = await cacheKey({ request, certificate, verifyServer: !values.isOn("no-verify-ssl") });
  certificate.fill(0); // the file may also contain a private key
  const cache = new SessionCache(directory, {
    now: () => system.now(),
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    warn,
    debug: debugLogger(values, system),
  });
  return await cache.get(key, () => {
    warmUpTls();
    return vend();
  });
}

/**
 * Reads the bytes that identify the certificate in the cache key: its whole file, unparsed, or the
 * keystore's certificates. Returns undefined if it cannot be read; `vend` then reports the reason.
 */
async function readCertificateBytes(
  values: FlagValues,
  system: System,
  { certificate }: IdentitySource,
  warn: (message: string) => void,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!certificate) return undefined;
  if (certificate.input) {
    return await createKeystoreContext(values, system).readInput(certificate.input)
      .catch(() => undefined);
  }
  const path = fileOf(certificate);
  if (path === undefined) {
    const keystore = await system.registry(certificate.scheme);
    const context = createKeystoreContext(values, system);
    const certificates = await withSource(
      certificate,
      () => keystore.readCertificates(certificate, context),
    );
    return new Uint8Array(certificates.flatMap(({ encoded }) => [...encoded]));
  }
  try {
    // Reading a pipe would consume the certificate.
    const options = { maxBytes: MAX_CERTIFICATE_BYTES, pipes: false };
    return await readSource(path, options);
  } catch (thrown) {
    if (thrown instanceof SourceError && /^(pipe|device|directory)$/.test(thrown.fault)) {
      warn(`${certificate.displayName} is not a regular file; the session is not cached`);
    }
    return undefined;
  }
}
