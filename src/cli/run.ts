/**
 * Runs the command that the command line names.
 *
 * @module
 */
import type { FlagValues } from "./flags/flag_values.ts";
import type { CommandName } from "./flags/flags.ts";
import { parseArguments } from "./flags/parse.ts";
import { loadSdkSettings } from "./settings/sdk_configuration.ts";
import { version } from "./commands/version.ts";
import type { System } from "./system.ts";

/** Command functions by name. A command's module is loaded only if the command runs. */
const COMMANDS: Readonly<
  Record<CommandName, (values: FlagValues, system: System) => void | Promise<void>>
> = {
  "credential-process": async (values, system) =>
    await (await import("./commands/credential_process.ts")).credentialProcess(values, system),
  "update": async (values, system) =>
    await (await import("./commands/update.ts")).update(values, system),
  "serve": async (values, system) =>
    await (await import("./commands/serve.ts")).serve(values, system),
  "sign-string": async (values, system) =>
    await (await import("./commands/sign_string.ts")).signString(values, system),
  "read-certificate-data": async (values, system) =>
    await (await import("./commands/read_certificate_data.ts")).readCertificateData(values, system),
  "selftest": async (values, system) =>
    await (await import("./commands/selftest.ts")).selftest(values, system),
  "cache clear": async (values, system) =>
    await (await import("./commands/cache_clear.ts")).cacheClear(values, system),
  "configure": async (values, system) =>
    await (await import("./commands/configure.ts")).configure(values, system),
  "doctor": async (values, system) =>
    await (await import("./commands/doctor.ts")).doctor(values, system),
  "health": async (values, system) =>
    await (await import("./commands/health.ts")).health(values, system),
  "completions": async (values, system) =>
    (await import("./commands/completions.ts")).completions(values, system),
  "version": (_values, system) => version(system),
};

/** Runs one command line. Throws `HelperError` for every expected failure. */
export async function run(argv: readonly string[], system: System): Promise<void> {
  const environment = (name: string) => system.environment(name);
  const request = await parseArguments(argv, environment, () => loadSdkSettings(system));
  if (request.kind === "help") {
    const { groupHelpText, helpText } = await import("./flags/help.ts");
    system.write("group" in request ? groupHelpText(request.group) : helpText(request.command));
    return;
  }
  await COMMANDS[request.command](request.values, system);
}
