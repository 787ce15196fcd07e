/**
 * `configure`: the `credential_process` setting that makes AWS SDKs use what the flags say, printed
 * or written into the configuration file.
 *
 * @module
 */
import { readIniLines, settingsOf } from "../../credentials/profile/ini_lines.ts";
import { editFile } from "../../credentials/profile/profile_file.ts";
import { checkProfileName } from "../../credentials/profile/profile_name.ts";
import { withSettings } from "../../credentials/profile/profile_text.ts";
import { HelperError } from "../../errors.ts";
import { readSourceSync } from "../../files/source_file.ts";
import { pathAdvice } from "../../keystore/path_advice.ts";
import {
  configurationHeader,
  findConfigurationHeader,
  STRONGER_SETTINGS,
} from "../settings/aws_profiles.ts";
import { commandLine } from "../shell_quote.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { fileOf } from "../../keystore/uri.ts";
import { identitySource } from "../keystore_context.ts";
import { configurationFile, credentialsFile } from "../paths.ts";
import { credentialProcessArgs } from "../settings/credential_process_args.ts";
import { sessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/** A larger file is not a credentials file, bytes. */
const MAX_CREDENTIALS_FILE = 16 << 20;

const SETTING = "credential_process";

/** Prints the setting as one line; with `--write`, writes it and says where. */
export async function configure(values: FlagValues, system: System): Promise<void> {
  const profile = values.required("profile");
  checkProfileName(profile, values.sourceOf("profile"));
  // What the program would refuse then is refused now.
  sessionRequest(values);
  identitySource(values, system.platform);
  const line = commandLine(credentialProcessArgs(values, system), system.platform);
  for (const note of missingFiles(values, system.platform)) system.say(`warning: ${note}`);
  if (!values.isOn("write")) {
    system.write(`${SETTING} = ${line}\n`);
    return;
  }
  if (/[\s"'\\]/.test(profile)) {
    throw new HelperError(
      "usage",
      `${values.sourceOf("profile")} "${profile}" holds a space, quote or backslash, which AWS ` +
        "SDKs read differently; choose another name",
    );
  }
  const path = configurationFile(system);
  const notes = await write({ path, profile, line }, system);
  for (const note of [...notes, ...credentialsNotes(profile, system)]) {
    system.say(`warning: ${note}`);
  }
  system.say(`wrote ${SETTING} of [${configurationHeader(profile)}] in ${path}`);
  system.say(`try it: aws sts get-caller-identity --profile ${profile}`);
}

/** Returns a note for each file that the flags name and that does not exist. */
function missingFiles(values: FlagValues, platform: System["platform"]): string[] {
  const { certificate, privateKey, intermediates } = identitySource(values, platform);
  return [certificate, privateKey, intermediates].flatMap((uri) => {
    const path = fileOf(uri);
    if (!uri || path === undefined || exists(path)) return [];
    const advice = pathAdvice(path) ?? "the command will fail until it does";
    return [`${uri.displayName} does not exist; ${advice}`];
  });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (thrown) {
    return !(thrown instanceof Deno.errors.NotFound);
  }
}

async function write(
  { path, profile, line }: { path: string; profile: string; line: string },
  system: System,
): Promise<string[]> {
  using hold = system.holdSignals();
  return await editFile(path, (text) => {
    const lines = readIniLines(text);
    const section = findConfigurationHeader(lines, profile) ?? configurationHeader(profile);
    const stronger = STRONGER_SETTINGS.filter((key) => settingsOf(lines, section).has(key));
    return {
      text: withSettings(text, section, new Map([[SETTING, line]]), path),
      notes: stronger.map((key) =>
        `[${section}] in ${path} sets ${key}, which AWS SDKs may follow before ${SETTING}`
      ),
    };
  }, {
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    signal: hold.signal,
  });
}

/** Keys in the credentials file come before every setting of the configuration file. */
function credentialsNotes(profile: string, system: System): string[] {
  const path = credentialsFile(system);
  let text: string;
  try {
    const bytes = readSourceSync(path, { maxBytes: MAX_CREDENTIALS_FILE, pipes: false });
    text = new TextDecoder().decode(bytes);
  } catch {
    return []; // no file, or not this user's: SDKs read nothing there either
  }
  if (!settingsOf(readIniLines(text), profile).has("aws_access_key_id")) return [];
  return [
    `[${profile}] in ${path} holds keys, which AWS SDKs use before ${SETTING}; remove them there`,
  ];
}
