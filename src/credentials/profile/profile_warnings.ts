/**
 * What in a credentials file keeps SDKs from using the credentials that are written into it.
 *
 * @module
 */
import { WRITTEN_KEYS } from "./credential_keys.ts";
import { type IniLine, readIniLines } from "./ini_lines.ts";

/** The file and what goes into it. */
export interface ProfilePlace {
  /** The text before or after the credentials were written. */
  readonly text: string;
  readonly profile: string;
  /** The account that the credentials are for. */
  readonly account: string;
  /** How a message names the file. */
  readonly label: string;
}

/** Settings of a profile that botocore, and other SDKs in part, follow before the keys in it. */
const STRONGER = /^(role_arn|web_identity_token_file|sso_account_id|sso_role_name)$/;

/** Settings that are not used while the profile has keys. */
const WEAKER = /^(credential_process|login_session)$/;

/** Everything worth a warning, one sentence each. */
export function profileWarnings(place: ProfilePlace): string[] {
  const { text, profile, label } = place;
  const lines = readIniLines(text);
  return [
    ...(text.startsWith("\ufeff")
      ? [
        `${label} begins with a byte order mark, so that the AWS CLI and boto3 refuse it; save it without`,
      ]
      : []),
    ...refusedByPython(lines, place),
    ...conflicts(lines, place),
    ...(/^profile\s/.test(profile)
      ? [
        `[${profile}]: only Python's SDK reads a profile of this name in ${label}; ` +
        `was --profile ${profile.replace(/^profile\s+/, "")} meant?`,
      ]
      : []),
  ];
}

/** The first line for which configparser, and so the AWS CLI and boto3, refuse the whole file. */
function refusedByPython(
  lines: readonly IniLine[],
  { label, profile }: ProfilePlace,
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

/** What in the profile, or in [DEFAULT], comes between SDKs and what is written. */
function conflicts(lines: readonly IniLine[], place: ProfilePlace): string[] {
  const { profile, label } = place;
  let section = "";
  return lines.flatMap((line, i) => {
    if (line.kind === "section") section = line.name;
    if (section !== profile && section !== "DEFAULT") return [];
    const conflict = line.kind === "setting"
      ? settingConflict(line, place)
      : line.kind === "continuation" && CONTINUED_KEY.test(place.text.slice(line.visible, line.end))
      ? "is indented, and so a part of the setting above it to most SDKs"
      : undefined;
    return conflict ? [`line ${i + 1} of ${label} ${conflict}`] : [];
  });
}

function settingConflict(line: IniLine, place: ProfilePlace): string | undefined {
  const { name, visible, value } = line;
  const { text, profile, account } = place;
  if (STRONGER.test(name)) {
    return `sets ${name}, which AWS SDKs may follow before the keys of [${profile}]`;
  }
  if (WEAKER.test(name)) return `sets ${name}, which is not used with the keys of [${profile}]`;
  const other = text.slice(...value);
  if (name === "aws_account_id" && other !== account) {
    const named = /^\d{12}$/.test(other) ? `the account ${other}` : "another account";
    return `names ${named}, and the role is in ${account}`;
  }
  if (WRITTEN_KEYS.has(name) && !/^[a-z_]+\s*=/.test(text.slice(visible, value[0]))) {
    return `writes ${name} as only Python's SDK reads it; use small letters and =`;
  }
  return undefined;
}

/** Returns a section's name for a message. A long name could be a part of a secret. */
function sectionNamed(name: string, profile: string): string {
  return name === profile || SHORT_NAME.test(name) ? `[${name}]` : "its section";
}

/** Returns a setting's name for a message. A line of a broken token looks like a setting, too. */
function keyNamed(name: string): string {
  const isKnown = WRITTEN_KEYS.has(name) || STRONGER.test(name) || WEAKER.test(name);
  return isKnown || SHORT_NAME.test(name) ? name : "a setting";
}

const SHORT_NAME = /^[\w.@+-]{1,11}$/;
const CONTINUED_KEY = new RegExp(`^(${[...WRITTEN_KEYS].join("|")})\\s*=`);
