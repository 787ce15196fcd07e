/**
 * From the command line to its command.
 *
 * @module
 */
import type { FlagValues } from "./flags/flag_values.ts";
import type { CommandName } from "./flags/flags.ts";
import { parseArguments } from "./flags/parse.ts";
import { sdkSettings } from "./settings/sdk_configuration.ts";
import { version } from "./commands/version.ts";
import type { System } from "./system.ts";

/** What each command does; each is loaded when it is asked for. */
const COMMANDS: Readonly<
  Record<CommandName, (values: FlagValues, world: System) => void | Promise<void>>
> = {
  "credential-process": async (values, world) =>
    await (await import("./commands/credential_process.ts")).credentialProcess(values, world),
  "update": async (values, world) =>
    await (await import("./commands/update.ts")).update(values, world),
  "serve": async (values, world) =>
    await (await import("./commands/serve.ts")).serve(values, world),
  "sign-string": async (values, world) =>
    await (await import("./commands/sign_string.ts")).signString(values, world),
  "read-certificate-data": async (values, world) =>
    await (await import("./commands/read_certificate_data.ts")).readCertificateData(values, world),
  "selftest": async (values, world) =>
    await (await import("./commands/selftest.ts")).selftest(values, world),
  "cache clear": async (values, world) =>
    await (await import("./commands/cache_clear.ts")).cacheClear(values, world),
  "configure": async (values, world) =>
    await (await import("./commands/configure.ts")).configure(values, world),
  "doctor": async (values, world) =>
    await (await import("./commands/doctor.ts")).doctor(values, world),
  "health": async (values, world) =>
    await (await import("./commands/health.ts")).health(values, world),
  "completions": async (values, world) =>
    (await import("./commands/completions.ts")).completions(values, world),
  "version": (_values, world) => version(world),
};

/** Runs one command line. Throws `HelperError` for every expected failure. */
export async function run(argv: readonly string[], world: System): Promise<void> {
  const environment = (name: string) => world.environment(name);
  const request = await parseArguments(argv, environment, () => sdkSettings(world));
  if (request.kind === "help") {
    const { groupHelpText, helpText } = await import("./flags/help.ts");
    world.write("group" in request ? groupHelpText(request.group) : helpText(request.command));
    return;
  }
  await COMMANDS[request.command](request.values, world);
}
