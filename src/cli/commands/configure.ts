/**
 * `configure`: prints the `credential_process` setting for the given flags, or writes it to the
 * configuration file.
 *
 * @module
 */
import { MAX_SIZE } from "../../credentials/profile/existing_file.ts";
import { readIniLines, settingsOf } from "../../credentials/profile/ini_lines.ts";
import { editFile } from "../../credentials/profile/profile_file.ts";
import { checkProfileName } from "../../credentials/profile/profile_name.ts";
import { setSettings } from "../../credentials/profile/profile_text.ts";
import { HelperError } from "../../errors.ts";
import { readSource } from "../../files/source_file.ts";
import { pathAdvice } from "../../keystore/path_advice.ts";
import {
  configurationHeader,
  findConfigurationHeader,
  OVERRIDING_SETTINGS,
} from "../settings/aws_profiles.ts";
import type { IdentitySource } from "../../keystore/open_identity.ts";
import { quoteCommandLine } from "../shell_quote.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { descriptionOf, fileOf } from "../../keystore/uri.ts";
import { readIdentitySource } from "../keystore_context.ts";
import { configurationFilePath, credentialsFilePath } from "../paths.ts";
import { buildCredentialProcessArgs } from "../settings/credential_process_args.ts";
import { readSessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

const SETTING = "credential_process";

/** Prints the setting as one line. With `--write`, writes it and logs where. */
export async function configure(values: FlagValues, system: System): Promise<void> {
  const profile = values.required("profile");
  checkProfileName(profile, values.sourceOf("profile"));
  // Report now what credential-process would reject later.
  const { region } = readSessionRequest(values);
  const source = await readIdentitySource(values, system.platform);
  const line = quoteCommandLine(buildCredentialProcessArgs(values, system), system.platform);
  for (const warning of [...findMissingFiles(source), ...findVariables(source)]) {
    system.log(`warning: ${warning}`);
  }
  if (!values.isOn("write")) {
    system.write(`${SETTING} = ${line}\n`);
    return;
  }
  if (/[\s"'\\]/.test(profile)) {
    throw new HelperError(
      "usage",
      `${
        values.sourceOf("profile")
      } "${profile}" has a space, quote or backslash, which AWS SDKs ` +
        "parse differently; choose another name",
    );
  }
  const path = configurationFilePath(system);
  const warnings = await writeSetting({ path, profile, line }, system);
  for (const warning of [...warnings, ...await checkCredentialsFile(profile, system)]) {
    system.log(`warning: ${warning}`);
  }
  system.log(`wrote ${SETTING} of [${configurationHeader(profile)}] in ${path}`);
  // The AWS CLI needs a region, and the profile may have none.
  system.log(`try it: aws sts get-caller-identity --profile ${profile} --region ${region}`);
}

/** Returns a warning for each file that the flags name and that does not exist. */
function findMissingFiles({ certificate, privateKey, intermediates }: IdentitySource): string[] {
  return [certificate, privateKey, intermediates].flatMap((uri) => {
    const path = fileOf(uri);
    if (!uri || path === undefined || exists(path)) return [];
    const advice = pathAdvice(path) ?? "the command fails until it exists";
    return [`${uri.displayName} does not exist; ${advice}`];
  });
}

/** Returns a warning for each variable that the flags name, or that has a keystore's address. */
function findVariables({ certificate, privateKey, intermediates }: IdentitySource): string[] {
  const names = [certificate, privateKey, intermediates].flatMap((uri) => {
    if (uri?.input?.kind === "variable") return [uri.displayName];
    const variable = uri?.path === "" ? descriptionOf(uri.scheme).addressVariable : undefined;
    return variable === undefined ? [] : [variable];
  });
  return [...new Set(names)].map((name) =>
    `${name} is not stored; set the variable for every program that uses the profile`
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (thrown) {
    return !(thrown instanceof Deno.errors.NotFound);
  }
}

async function writeSetting(
  { path, profile, line }: { path: string; profile: string; line: string },
  system: System,
): Promise<string[]> {
  using hold = system.holdSignals();
  return await editFile(path, (text) => {
    const lines = readIniLines(text);
    const section = findConfigurationHeader(lines, profile) ?? configurationHeader(profile);
    const overriding = OVERRIDING_SETTINGS.filter((key) => settingsOf(lines, section).has(key));
    return {
      text: setSettings(text, section, new Map([[SETTING, line]]), path),
      warnings: overriding.map((key) =>
        `[${section}] in ${path} sets ${key}, which AWS SDKs may use before ${SETTING}`
      ),
    };
  }, {
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    signal: hold.signal,
  });
}

/** Returns a warning if the credentials file has keys: SDKs use these before any other setting. */
async function checkCredentialsFile(profile: string, system: System): Promise<string[]> {
  const path = credentialsFilePath(system);
  let text: string;
  try {
    const bytes = await readSource(path, { maxBytes: MAX_SIZE, pipes: false });
    text = new TextDecoder().decode(bytes);
  } catch {
    return []; // missing or unreadable: SDKs cannot read it either
  }
  if (!settingsOf(readIniLines(text), profile).has("aws_access_key_id")) return [];
  return [
    `[${profile}] in ${path} has keys, which AWS SDKs use before ${SETTING}; remove them`,
  ];
}
