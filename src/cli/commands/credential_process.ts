/**
 * `credential-process`: prints the credentials of one session, in the format that AWS SDKs read.
 * Source: "Sourcing credentials with an external process", AWS SDKs and Tools Reference Guide.
 *
 * @module
 */
import { formatTime } from "../../credentials/format_time.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { readIdentitySource } from "../keystore_context.ts";
import { readSessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/** Fetches a session, or reads it from the cache, and prints its credentials as one line of JSON. */
export async function credentialProcess(values: FlagValues, system: System): Promise<void> {
  const request = readSessionRequest(values);
  const source = await readIdentitySource(values, system.platform);
  const vend = async () => {
    const { vendSession } = await import("../vend_session.ts");
    return await vendSession(values, system, source, request);
  };
  if (!values.isOn("cache") && values.isOnCommandLine("cache-dir")) {
    system.log("warning: --cache-dir has no effect without --cache");
  }
  const vendOrReuse = async () => {
    const { vendWithCache } = await import("../cached_session.ts");
    return await vendWithCache(values, system, source, request, vend);
  };
  const credentials = values.isOn("cache") ? await vendOrReuse() : await vend();
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
