/**
 * `update`: temporary credentials in a profile of the credentials file, once or for as long as the
 * command runs.
 *
 * @module
 */
import { writeProfile } from "../../credentials/profile/profile_file.ts";
import { checkProfileName } from "../../credentials/profile/profile_name.ts";
import { vendCredentials } from "../../credentials/refresh/session.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { disableCoreDumps } from "../core_dumps.ts";
import { identitySource, keystoreContext } from "../keystore_context.ts";
import { runUpdateLoop } from "../update_loop.ts";
import { credentialsFile } from "../paths.ts";
import { createSessionEffects, sessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/** Writes the credentials; without `--once`, again and again until a signal ends it. */
export async function update(values: FlagValues, system: System): Promise<void> {
  if (!values.isOn("once")) await system.stay();
  await disableCoreDumps(system);
  const profile = values.required("profile");
  checkProfileName(profile, values.sourceOf("profile"));
  const path = credentialsFile(system);
  const request = sessionRequest(values);
  const source = identitySource(values, system.platform);
  const context = keystoreContext(values, system);
  const deps = createSessionEffects(values, request.endpoint, system);
  const told = new Set<string>();
  const write = async (credentials: SessionCredentials, signal: AbortSignal) => {
    const account = request.arns.role.account;
    const notes = await writeProfile({ path, profile, credentials, account }, {
      monotonic: () => system.monotonic(),
      sleep: (milliseconds) => system.sleep(milliseconds),
      signal,
    });
    for (const note of notes.filter((note) => !told.has(note))) {
      told.add(note);
      system.say(`warning: ${note}`);
    }
  };
  if (values.isOn("once")) {
    const credentials = await vendCredentials(source, request, system.registry, context, deps);
    // Nothing is left half done by a signal that comes now.
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
    place: `[${profile}] of ${path}`,
    write,
  }, system);
}
