/**
 * Profiles in AWS's configuration and credentials files, parsed like botocore. Pure except
 * {@link readProfile}.
 *
 * @module
 */
import { type IniLine, readIniLines } from "../../credentials/profile/ini_lines.ts";
import { configurationFilePath, credentialsFilePath } from "../paths.ts";
import { readAwsFile } from "./sdk_configuration.ts";
import type { System } from "../system.ts";

/** Settings that AWS SDKs use before `credential_process` in the same profile. */
export const OVERRIDING_SETTINGS: readonly string[] = [
  "aws_access_key_id",
  "role_arn",
  "web_identity_token_file",
  "sso_session",
  "sso_account_id",
];

/** Returns the profile's section in the configuration file. The credentials file has no prefix. */
export function configurationHeader(profile: string): string {
  return profile === "default" ? "default" : `profile ${profile}`;
}

/** Returns the profile's section as written in the file: SDKs accept any whitespace in it. */
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

/** Reads a profile. Ignores unreadable files, as SDKs do. Throws `usage` without a home directory. */
export async function readProfile(
  name: string,
  system: Pick<System, "platform" | "environment" | "homeDirectory">,
): Promise<Profile> {
  const credentialsPath = credentialsFilePath(system);
  const { configurationPath, configuration } = await readConfiguration(name, system);
  const credentials = readSettings(await readAwsFile(credentialsPath) ?? "", name);
  return {
    name,
    configurationPath,
    credentialsPath,
    ...(configuration ? { configuration } : {}),
    ...(credentials ? { credentials: new Set(credentials.keys()) } : {}),
  };
}

/** Reads a profile of the configuration file only, and does not open the credentials file. */
export async function readConfiguration(
  name: string,
  system: Pick<System, "platform" | "environment" | "homeDirectory">,
): Promise<Pick<Profile, "configurationPath" | "configuration">> {
  const configurationPath = configurationFilePath(system);
  const text = await readAwsFile(configurationPath) ?? "";
  const configuration = readSettings(text, findConfigurationHeader(readIniLines(text), name));
  return { configurationPath, ...(configuration ? { configuration } : {}) };
}

function readSettings(
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
