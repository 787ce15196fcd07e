/**
 * `credential-process`: one session, printed in the form AWS SDKs read from a `credential_process`
 * ("Sourcing credentials with an external process", AWS SDKs and Tools Reference Guide).
 *
 * @module
 */
import { formatTime, vendCredentials } from "../../credentials/refresh/session.ts";
import { cachedSession } from "../cached_session.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { identitySource, keystoreContext } from "../keystore_context.ts";
import { createSessionEffects, sessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/** Asks for a session, or takes it from the cache, and prints its credentials as one line of JSON. */
export async function credentialProcess(values: FlagValues, system: System): Promise<void> {
  const request = sessionRequest(values);
  const source = identitySource(values, system.platform);
  const vend = () =>
    vendCredentials(
      source,
      request,
      system.registry,
      keystoreContext(values, system),
      createSessionEffects(values, request.endpoint, system),
    );
  if (!values.isOn("cache") && values.isOnCommandLine("cache-dir")) {
    system.say("warning: --cache-dir has no effect without --cache");
  }
  const credentials = values.isOn("cache")
    ? await cachedSession(values, system, source, request, vend)
    : await vend();
  system.write(`${
    JSON.stringify({
      Version: 1,
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      SessionToken: credentials.sessionToken,
      Expiration: formatTime(credentials.expiration),
    })
  }\n`);
}
