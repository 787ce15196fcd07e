/**
 * From the command line to its command.
 *
 * @module
 */
import { cacheClear } from "./cache_clear.ts";
import { credentialProcess } from "./credential_process.ts";
import type { FlagValues } from "./flag_values.ts";
import type { CommandName } from "./flags.ts";
import { parseArguments } from "./parse.ts";
import { readCertificateData } from "./read_certificate_data.ts";
import { signString } from "./sign_string.ts";
import { update } from "./update.ts";
import { version } from "./version.ts";
import type { World } from "./world.ts";

/** What each command does. One that brings much with it is loaded when it is asked for. */
const COMMANDS: Readonly<
  Record<CommandName, (values: FlagValues, world: World) => void | Promise<void>>
> = {
  "credential-process": credentialProcess,
  "update": update,
  "serve": async (values, world) => await (await import("./serve.ts")).serve(values, world),
  "sign-string": signString,
  "read-certificate-data": readCertificateData,
  "selftest": async (values, world) =>
    await (await import("./selftest.ts")).selftest(values, world),
  "cache clear": cacheClear,
  "configure": async (values, world) =>
    await (await import("./configure.ts")).configure(values, world),
  "doctor": async (values, world) => await (await import("./doctor.ts")).doctor(values, world),
  "health": async (values, world) => await (await import("./health.ts")).health(values, world),
  "completions": async (values, world) =>
    (await import("./completions.ts")).completions(values, world),
  "version": (_values, world) => version(world),
};

/** Runs one command line. Throws `HelperError` for every expected failure. */
export async function run(argv: readonly string[], world: World): Promise<void> {
  const request = await parseArguments(argv, (name) => world.environment(name));
  if (request.kind === "help") {
    const { groupHelpText, helpText } = await import("./help.ts");
    world.write("group" in request ? groupHelpText(request.group) : helpText(request.command));
    return;
  }
  await COMMANDS[request.command](request.values, world);
}
