/**
 * What in a credentials file keeps SDKs from using the credentials that are written into it.
 *
 * @module
 */
import { type IniLine, readIniLines } from "./ini_lines.ts";
import { CREDENTIAL_KEYS, OLD_TOKEN_KEY } from "./profile_text.ts";

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
      ? [`${label} begins with a byte order mark, so that the AWS CLI and boto3 refuse it; save it without`]
      : []),
    ...refusedByPython(lines, label),
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
function refusedByPython(lines: readonly IniLine[], label: string): string[] {
  const sections = new Set<string>();
  const settings = new Set<string>();
  let section = "";
  for (const [i, { kind, name }] of lines.entries()) {
    let fault: string | undefined;
    if (kind === "stray") {
      fault = sections.size === 0 ? "stands before the first section" : "is no setting";
    } else if (kind === "section") {
      if (name !== "DEFAULT" && sections.has(name)) fault = `begins [${name}] a second time`;
      sections.add(section = name);
    } else if (kind === "setting") {
      const setting = `${section}]${name}`;
      if (settings.has(setting)) fault = `sets ${name} of [${section}] a second time`;
      settings.add(setting);
    }
    if (fault) {
      return [`line ${i + 1} of ${label} ${fault}: the AWS CLI and boto3 refuse such a file`];
    }
  }
  return [];
}

/** Settings of the profile that other SDKs, or all, put before what is written. */
function conflicts(lines: readonly IniLine[], place: ProfilePlace): string[] {
  const { text, profile, account, label } = place;
  const found: string[] = [];
  let section = "";
  for (const [i, { kind, name, visible, end, value }] of lines.entries()) {
    const here = `line ${i + 1} of ${label}`;
    if (kind === "section") section = name;
    if (section !== profile && section !== "DEFAULT") continue;
    const written = OWN_KEYS.has(name);
    if (kind === "setting" && STRONGER.test(name)) {
      found.push(`${here} sets ${name}, which AWS SDKs may follow before the keys of [${profile}]`);
    } else if (kind === "setting" && WEAKER.test(name)) {
      found.push(`${here} sets ${name}, which is not used beside the keys of [${profile}]`);
    } else if (kind === "setting" && name === "aws_account_id") {
      const other = text.slice(...value);
      if (other !== account) found.push(`${here} names the account ${other}, the role is in ${account}`);
    } else if (kind === "setting" && written && section === "DEFAULT" && name === OLD_TOKEN_KEY) {
      found.push(`${here} gives every profile a token, which boto3 takes before the one written`);
    } else if (kind === "setting" && written && text.slice(visible, visible + name.length) !== name) {
      found.push(`${here} writes ${name} in capitals, which only Python's SDK reads`);
    } else if (kind === "continuation" && CONTINUED_KEY.test(text.slice(visible, end))) {
      found.push(`${here} is indented, and so a part of the setting above it to most SDKs`);
    }
  }
  return found;
}

const OWN_KEYS: ReadonlySet<string> = new Set([...CREDENTIAL_KEYS, OLD_TOKEN_KEY]);
const CONTINUED_KEY = new RegExp(`^(${[...OWN_KEYS].join("|")})\\s*=`);
