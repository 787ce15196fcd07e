/**
 * `credential-process`: prints the credentials of one session, as AWS SDKs read them
 * ("Sourcing credentials with an external process", AWS SDKs and Tools Reference Guide).
 *
 * @module
 */
import { formatTime, vendCredentials } from "../../credentials/refresh/session.ts";
import { vendWithCache } from "../cached_session.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext, readIdentitySource } from "../keystore_context.ts";
import { createSessionDeps, readSessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/** Fetches a session, or reads it from the cache, and prints its credentials as one line of JSON. */
export async function credentialProcess(values: FlagValues, system: System): Promise<void> {
  const request = readSessionRequest(values);
  const source = await readIdentitySource(values, system.platform);
  const vend = async () =>
    await vendCredentials(
      source,
      request,
      system.registry,
      createKeystoreContext(values, system),
      await createSessionDeps(values, request.endpoint, system),
    );
  if (!values.isOn("cache") && values.isOnCommandLine("cache-dir")) {
    system.log("warning: --cache-dir has no effect without --cache");
  }
  const credentials = values.isOn("cache")
    ? await vendWithCache(values, system, source, request, vend)
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
