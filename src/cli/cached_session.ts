/**
 * `credential-process --cache`: the session that an earlier run has kept, or a new one.
 *
 * @module
 */
import { cacheKey } from "../credentials/cache/cache_key.ts";
import { SessionCache } from "../credentials/cache/session_cache.ts";
import { readSource, SourceError } from "../files/source_file.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import { fileOf } from "../keystore/uri.ts";
import type { SessionCredentials, SessionRequest } from "../rolesanywhere/create_session.ts";
import { warmUpTls } from "../http/http_client.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import { debugWords, keystoreContext } from "./keystore_context.ts";
import { cacheDirectory } from "./paths.ts";
import type { System } from "./system.ts";

/** A larger file is no certificate, bytes. */
const MAX_CERTIFICATE_BYTES = 4 << 20;

/**
 * The session for `request`, from the cache or by `vend`. Neither the private key nor the network
 * is touched when it is in the cache.
 */
export async function cachedSession(
  values: FlagValues,
  system: System,
  source: IdentitySource,
  request: SessionRequest,
  vend: () => Promise<SessionCredentials>,
): Promise<SessionCredentials> {
  const warn = (words: string) => system.say(`warning: ${words}`);
  const directory = cacheDirectory(values, system);
  const certificate = await certificateBytes(values, system, source, warn);
  if (!certificate) return await vend();
  const key = await cacheKey({ request, certificate, verifyServer: !values.isOn("no-verify-ssl") });
  certificate.fill(0); // a private key may stand beside the certificate
  const cache = new SessionCache(directory, {
    now: () => system.now(),
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    warn,
    debug: debugWords(values, system),
  });
  return await cache.get(key, () => {
    warmUpTls();
    return vend();
  });
}

/**
 * The bytes that tell the certificate from others: its file as it stands, without looking into it,
 * or what its keystore gives. Undefined when there are none to be had; `vend` then says why.
 */
async function certificateBytes(
  values: FlagValues,
  system: System,
  { certificate }: IdentitySource,
  warn: (words: string) => void,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!certificate) return undefined;
  const path = fileOf(certificate);
  if (path === undefined) {
    const keystore = await system.registry(certificate.scheme);
    const context = keystoreContext(values, system);
    const certificates = await keystore.readCertificates(certificate, context);
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
