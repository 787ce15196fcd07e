/**
 * Warnings about settings of a credentials file that keep SDKs from using the written credentials.
 *
 * @module
 */
import { WRITTEN_KEYS } from "./credential_keys.ts";
import { type IniLine, readIniLines } from "./ini_lines.ts";

/** File, profile and account of the written credentials. */
export interface ProfileContext {
  /** Text before or after the credentials were written. */
  readonly text: string;
  readonly profile: string;
  /** Account of the credentials. */
  readonly account: string;
  /** The file's name in messages. */
  readonly label: string;
}

/** Settings of a profile that botocore, and partly other SDKs, prefer to its keys. */
const OVERRIDING_SETTINGS = /^(role_arn|web_identity_token_file|sso_account_id|sso_role_name)$/;

/** Settings that SDKs ignore if the profile has keys. */
const IGNORED_SETTINGS = /^(credential_process|login_session)$/;

/** Returns the end of a warning of {@link IGNORED_SETTINGS}: SDKs use keys even if these expired. */
export function ignoredNextToKeys(profile: string): string {
  return `which is not used with the keys of [${profile}], even expired ones; use another profile`;
}

/** Returns the warnings, one sentence each. */
export function profileWarnings(place: ProfileContext): string[] {
  const { text, profile, label } = place;
  const lines = readIniLines(text);
  return [
    ...(text.startsWith("\ufeff")
      ? [
        `${label} begins with a byte order mark, which the AWS CLI and boto3 refuse; save it without`,
      ]
      : []),
    ...findRefusedLine(lines, place),
    ...findConflicts(lines, place),
    ...(/^profile\s/.test(profile)
      ? [
        `[${profile}]: only Python's SDK reads a profile of this name in ${label}; ` +
        `was --profile ${profile.replace(/^profile\s+/, "")} meant?`,
      ]
      : []),
  ];
}

/** Returns a warning for the first line that makes configparser (AWS CLI, boto3) refuse the file. */
function findRefusedLine(
  lines: readonly IniLine[],
  { label, profile }: ProfileContext,
): string[] {
  const sections = new Set<string>();
  const settings = new Set<string>();
  let section = "";
  for (const [i, { kind, name }] of lines.entries()) {
    let fault: string | undefined;
    if (kind === "stray") {
      fault = sections.size === 0 ? "is before the first section" : "is not a setting";
    } else if (kind === "section") {
      if (name !== "DEFAULT" && sections.has(name)) {
        fault = `begins ${sectionNamed(name, profile)} a second time`;
      }
      sections.add(section = name);
    } else if (kind === "setting") {
      const setting = `${section}]${name}`;
      if (settings.has(setting)) {
        fault = `sets ${keyNamed(name)} of ${sectionNamed(section, profile)} a second time`;
      }
      settings.add(setting);
    }
    if (fault) {
      return [`line ${i + 1} of ${label} ${fault}: the AWS CLI and boto3 refuse such a file`];
    }
  }
  return [];
}

/** Returns warnings for settings in the profile, or in [DEFAULT], that override the credentials. */
function findConflicts(lines: readonly IniLine[], place: ProfileContext): string[] {
  const { profile, label } = place;
  let section = "";
  return lines.flatMap((line, i) => {
    if (line.kind === "section") section = line.name;
    if (section !== profile && section !== "DEFAULT") return [];
    const conflict = line.kind === "setting"
      ? settingConflict(line, place)
      : line.kind === "continuation" && CONTINUED_KEY.test(place.text.slice(line.visible, line.end))
      ? "is indented, so most SDKs read it as part of the setting above"
      : undefined;
    return conflict ? [`line ${i + 1} of ${label} ${conflict}`] : [];
  });
}

function settingConflict(line: IniLine, place: ProfileContext): string | undefined {
  const { name, visible, value } = line;
  const { text, profile, account } = place;
  if (OVERRIDING_SETTINGS.test(name)) {
    return `sets ${name}, which AWS SDKs may follow before the keys of [${profile}]`;
  }
  if (IGNORED_SETTINGS.test(name)) {
    return `sets ${name}, ${ignoredNextToKeys(profile)}`;
  }
  const other = text.slice(...value);
  if (name === "aws_account_id" && other !== account) {
    const named = /^\d{12}$/.test(other) ? `the account ${other}` : "another account";
    return `names ${named}, and the role is in ${account}`;
  }
  if (WRITTEN_KEYS.has(name) && !/^[a-z_]+\s*=/.test(text.slice(visible, value[0]))) {
    return `writes ${name} as only Python's SDK reads it; use lower case and =`;
  }
  return undefined;
}

/** Returns a section's name for a message. A long name could be part of a secret. */
function sectionNamed(name: string, profile: string): string {
  return name === profile || SHORT_NAME.test(name) ? `[${name}]` : "its section";
}

/** Returns a setting's name for a message. A line of a broken token also looks like a setting. */
function keyNamed(name: string): string {
  const isKnown = WRITTEN_KEYS.has(name) || OVERRIDING_SETTINGS.test(name) ||
    IGNORED_SETTINGS.test(name);
  return isKnown || SHORT_NAME.test(name) ? name : "a setting";
}

const SHORT_NAME = /^[\w.@+-]{1,11}$/;
const CONTINUED_KEY = new RegExp(`^(${[...WRITTEN_KEYS].join("|")})\\s*=`);
