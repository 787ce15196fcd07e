/**
 * Profiles of AWS's configuration and credentials files, as botocore reads them. Pure but for
 * {@link readProfile}.
 *
 * @module
 */
import { type IniLine, readIniLines } from "../../credentials/profile/ini_lines.ts";
import { configurationFile, credentialsFile } from "../paths.ts";
import { readAwsFile } from "./sdk_configuration.ts";
import type { System } from "../system.ts";

/** Settings that AWS SDKs follow before `credential_process`, in the same profile. */
export const STRONGER_SETTINGS: readonly string[] = [
  "aws_access_key_id",
  "role_arn",
  "web_identity_token_file",
  "sso_session",
  "sso_account_id",
];

/** Returns the profile's section: the credentials file uses the name only. */
export function configurationHeader(profile: string): string {
  return profile === "default" ? "default" : `profile ${profile}`;
}

/** Returns the profile's section as the file has it: SDKs accept any blanks in it. */
export function findConfigurationHeader(
  lines: readonly IniLine[],
  profile: string,
): string | undefined {
  return lines.findLast(({ kind, name }) =>
    kind === "section" && name.trim().replace(/\s+/g, " ") === configurationHeader(profile)
  )?.name;
}

/** One profile in both files. */
export interface Profile {
  readonly name: string;
  readonly configurationPath: string;
  readonly credentialsPath: string;
  /** Settings of the configuration file; undefined if it has no such profile. */
  readonly configuration?: ReadonlyMap<string, string>;
  /** Keys of the settings in the credentials file; undefined if it has no such profile. */
  readonly credentials?: ReadonlySet<string>;
}

/** Reads a profile. A file that cannot be read has none, as for SDKs. Throws `usage` without a home. */
export function readProfile(
  name: string,
  system: Pick<System, "platform" | "environment" | "homeDirectory">,
): Profile {
  const [configurationPath, credentialsPath] = [configurationFile(system), credentialsFile(system)];
  const configurationText = readAwsFile(configurationPath) ?? "";
  const configuration = settingsIn(
    configurationText,
    findConfigurationHeader(readIniLines(configurationText), name),
  );
  const credentials = settingsIn(readAwsFile(credentialsPath) ?? "", name);
  return {
    name,
    configurationPath,
    credentialsPath,
    ...(configuration ? { configuration } : {}),
    ...(credentials ? { credentials: new Set(credentials.keys()) } : {}),
  };
}

function settingsIn(
  text: string,
  section: string | undefined,
): ReadonlyMap<string, string> | undefined {
  let settings: Map<string, string> | undefined;
  let isInside = false;
  let key = "";
  for (const { kind, name, value, visible, end } of readIniLines(text)) {
    if (kind === "section") {
      isInside = name === section;
      if (isInside) settings ??= new Map();
    } else if (isInside && kind === "setting") {
      settings?.set(key = name, text.slice(...value));
    } else if (isInside && kind === "continuation") {
      settings?.set(key, `${settings.get(key)}\n${text.slice(visible, end).trimEnd()}`);
    }
  }
  return settings;
}
