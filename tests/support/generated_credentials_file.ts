/** Function that picks a whole number below a bound. */
type Random = (bound: number) => number;

const NAMES = [
  "default",
  "dev",
  "prod",
  "my profile",
  "profile dev",
  "profile default",
  "Default",
  "a.b-c_d/e@f%g:h+i",
  "münchen",
  "sso-session corp",
];

/** Settings of other programs; nested ones include their indented lines. */
const SETTINGS: readonly ((pick: Random) => string[])[] = [
  () => ["region = eu-west-1"],
  () => ["output=json"],
  () => ["Role_Arn: arn:aws:iam::123456789012:role/x"],
  () => ["credential_process = /usr/bin/vend --account '=' # not a comment"],
  () => ["s3 =", "  max_concurrent_requests = 20", "", "  # inside", "  addressing_style = path"],
  () => ["s3 =", "\taws_access_key_id = nested"],
  () => ["description = one", "    two", "   three"],
  () => ["empty ="],
  () => ["my_aws_access_key_id = other"],
  () => ["aws_access_key_id_old = other"],
  () => ["; aws_access_key_id = commented out"],
  () => ["#aws_session_token = commented out"],
  () => ["   # an indented comment"],
  () => [""],
  () => ["  \t"],
  () => ["name = ü € 😀"],
  (pick) => [`long = ${"x".repeat(pick(40) === 0 ? 100 * 1024 : 100)}`],
];

/** Our keys in the forms that people and programs write. */
const OWN: readonly ((pick: Random) => string[])[] = [
  () => ["aws_access_key_id = AKIAOLD"],
  () => ["AWS_Access_Key_ID=AKIAOLD"],
  () => ["aws_access_key_id :AKIAOLD   "],
  () => ["aws_access_key_id\t=\tAKIAOLD"],
  () => ["aws_secret_access_key = old/secret+with=signs:"],
  () => ["aws_secret_access_key ="],
  () => ["aws_secret_access_key = old ; rotate in May"],
  () => ["aws_session_token = old=="],
  () => ["aws_session_token =", "  old first line", "  and a second=="],
  () => ["aws_session_token = old", "", "  # between", "  more"],
  () => ["aws_session_token = old", "  region = us-west-2"],
  () => ["aws_security_token = legacy"],
];

/** A credentials file and the profile to write into it. */
export interface GeneratedFile {
  readonly text: string;
  readonly profile: string;
}

/** Generates a file from a seed: any mixture of valid and broken contents. */
export function generateCredentialsFile(pick: Random): GeneratedFile {
  const chance = (percent: number) => pick(100) < percent;
  const one = <T>(values: readonly T[]): T => values[pick(values.length)] as T;
  const lineEnds = chance(60)
    ? ["\n"]
    : chance(50)
    ? ["\r\n"]
    : chance(60)
    ? ["\n", "\r\n", "\n\n"]
    : ["\r"];
  const repeats = chance(4);
  const names = chance(4) ? [] : shuffled(NAMES, pick).slice(0, pick(7));
  if (repeats && names[0]) names.push(names[0]);
  if (chance(3)) names.push("DEFAULT");
  const lines: string[] = chance(30) ? one([["# mine"], ["", "; two", ""], ["   "]]) : [];
  if (chance(1)) lines.push("a line before the first section");
  for (const name of names) {
    const margin = chance(5) ? one([" ", "  ", "\t", "\u00a0"]) : "";
    lines.push(margin + one([`[${name}]`, `[${name}]`, `[${name}]  `, `[${name}] # its key`]));
    const indent = chance(15) ? one([" ", "    ", "\t"]) : "";
    lines.push(...settings(pick, repeats).map((line) => indent + line));
    if (chance(30)) lines.push("");
  }
  if (chance(1)) lines.push("a stray line");
  let text = lines.map((line) => line + one(lineEnds)).join("");
  if (chance(30)) text = text.replace(/(\r\n|\n|\r)+$/, "");
  if (chance(5)) text = `\ufeff${text}`;
  const profiles = chance(70) ? names.filter((name) => name !== "DEFAULT") : [];
  return { text, profile: one(profiles.length > 0 ? profiles : NAMES) };
}

function settings(pick: Random, repeats: boolean): string[] {
  const ours = pick(2) === 0 ? [] : shuffled(OWN, pick).slice(0, 1 + pick(4));
  const others = shuffled(SETTINGS, pick).slice(0, pick(6));
  const seen = new Set<string>();
  return shuffled([...ours, ...others], pick).flatMap((make) => {
    const lines = make(pick);
    const key = /^(\w+)\s*[=:]/.exec(lines[0] ?? "")?.[1]?.toLowerCase();
    if (key && seen.has(key) && !repeats) return [];
    if (key) seen.add(key);
    return lines;
  });
}

function shuffled<T>(values: readonly T[], pick: Random): T[] {
  return values.map((value) => [pick(1 << 20), value] as const)
    .toSorted(([a], [b]) => a - b).map(([, value]) => value);
}
