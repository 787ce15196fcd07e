/**
 * `update`: writes temporary credentials to a profile of the credentials file, once or until a
 * signal.
 *
 * @module
 */
import { writeProfile } from "../../credentials/profile/profile_file.ts";
import { checkProfileName } from "../../credentials/profile/profile_name.ts";
import { ignoredNextToKeys } from "../../credentials/profile/profile_warnings.ts";
import { vendCredentials, vendedRole } from "../../credentials/refresh/session.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { disableCoreDumps } from "../core_dumps.ts";
import { createKeystoreContext, readIdentitySource } from "../keystore_context.ts";
import { runUpdateLoop } from "../update_loop.ts";
import { credentialsFilePath } from "../paths.ts";
import { configurationHeader, readConfiguration } from "../settings/aws_profiles.ts";
import { createSessionDeps } from "../session_deps.ts";
import { readSessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/** Writes the credentials. Without `--once`, renews them until a signal ends it. */
export async function update(values: FlagValues, system: System): Promise<void> {
  if (!values.isOn("once")) await system.stay();
  await disableCoreDumps(system);
  const profile = values.required("profile");
  checkProfileName(profile, values.sourceOf("profile"));
  const path = credentialsFilePath(system);
  const request = readSessionRequest(values);
  const source = await readIdentitySource(values, system.platform);
  const context = createKeystoreContext(values, system);
  const deps = await createSessionDeps(values, request.endpoint, system);
  const reported = new Set<string>();
  const write = async (credentials: SessionCredentials, signal: AbortSignal) => {
    const { account } = vendedRole(request);
    const warnings = await writeProfile({ path, profile, credentials, account }, {
      monotonic: () => system.monotonic(),
      sleep: (milliseconds) => system.sleep(milliseconds),
      signal,
    });
    const ended = new Promise<string[]>((resolve) => {
      signal.addEventListener("abort", () => resolve([]), { once: true });
    });
    warnings.push(...await Promise.race([checkConfigurationFile(profile, system), ended]));
    for (const warning of warnings.filter((text) => !reported.has(text))) {
      reported.add(warning);
      system.log(`warning: ${warning}`);
    }
  };
  if (values.isOn("once")) {
    const credentials = await vendCredentials(source, request, system.registry, context, deps);
    // A signal must not interrupt the write.
    using hold = system.holdSignals();
    await write(credentials, hold.signal);
    deps.debug(`wrote [${profile}] of ${path}`);
    return;
  }
  await runUpdateLoop({
    source,
    request,
    context,
    deps,
    target: `[${profile}] of ${path}`,
    write,
  }, system);
}

/** Returns a warning if the configuration file has a `credential_process` for the profile. */
async function checkConfigurationFile(profile: string, system: System): Promise<string[]> {
  if (!system.environment("AWS_CONFIG_FILE") && !system.homeDirectory()) return [];
  const { configuration, configurationPath } = await readConfiguration(profile, system);
  if (!configuration?.has("credential_process")) return [];
  return [
    `[${configurationHeader(profile)}] in ${configurationPath} sets credential_process, ` +
    ignoredNextToKeys(profile),
  ];
}
