/**
 * Changes the credentials in the text of a credentials file, and nothing else.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { CREDENTIAL_KEYS, OLD_TOKEN_KEY, valuesByKey } from "./credential_keys.ts";
import { type IniLine, readIniLines, settingsOf } from "./ini_lines.ts";
import { applyEdits, type Edit } from "./text_edits.ts";

/**
 * Returns `text` with the credentials in the section `[profile]`.
 *
 * Existing keys keep their spelling, spacing and place. Missing keys are added below them, or below the
 * section's header. A missing section is added at the end. If several sections have this name, all of
 * them are written, because SDKs read the last value of a key.
 *
 * Throws `credentials-file`, with `label` for the file, if a setting would be lost. Throws
 * `service-answer` for credentials that contain spaces or line ends.
 */
export function setCredentials(
  text: string,
  profile: string,
  credentials: SessionCredentials,
  label: string,
): string {
  const keys: string[] = [...CREDENTIAL_KEYS];
  // botocore applies [DEFAULT] to every profile that does not set the key itself.
  if (settingsOf(readIniLines(text), "DEFAULT").has(OLD_TOKEN_KEY)) keys.push(OLD_TOKEN_KEY);
  return setSettings(text, profile, valuesByKey(credentials), label, keys);
}

/**
 * Returns `text` with settings in the section `[section]`, by the rules of {@link setCredentials}.
 * Existing keys of `values` get their value, and missing ones of `keys` are added.
 */
export function setSettings(
  text: string,
  section: string,
  values: ReadonlyMap<string, string>,
  label: string,
  keys: readonly string[] = [...values.keys()],
): string {
  const lines = readIniLines(text);
  const { header, existing } = findSection(lines, section, values);
  if (header === undefined) return appendSection(text, lines, section, keys, values);
  const names = new Set(existing.map((i) => lines[i]?.name));
  const missing = keys.filter((key) => !names.has(key));
  return applyEdits(text, [
    ...existing.flatMap((i) => replaceValue(text, lines, i, values, label)),
    ...addSettings(text, lines, existing.at(-1) ?? header, missing, values),
  ]);
}

/** Finds the section: its last header, and the lines of the settings in `values`. */
function findSection(
  lines: readonly IniLine[],
  wanted: string,
  values: ReadonlyMap<string, string>,
) {
  let header: number | undefined;
  const existing: number[] = [];
  let section = "";
  for (const [i, { kind, name }] of lines.entries()) {
    if (kind === "section") section = name;
    if (kind === "section" && name === wanted) header = i;
    if (kind === "setting" && section === wanted && values.has(name)) existing.push(i);
  }
  return { header, existing };
}

/** Lines that other SDKs, and people, read as a header or a setting; not the padding of base64. */
const LIKE_SETTING = /^\[|^[a-z][\w-]*\s*[=:]\s*[^=\s]/i;

/** Replaces the old value, including its continuation lines. */
function replaceValue(
  text: string,
  lines: readonly IniLine[],
  index: number,
  values: ReadonlyMap<string, string>,
  label: string,
): Edit[] {
  const line = lines[index];
  if (!line) return [];
  const [start, end] = line.value;
  const edits: Edit[] = [{ start, end, text: values.get(line.name) ?? "" }];
  // botocore does not support a comment after a value: it is moved to its own line.
  const comment = /\s([#;].*)$/s.exec(text.slice(start, end))?.[1];
  if (comment) {
    edits.unshift({
      start: line.start,
      end: line.start,
      text: comment + lineEndAt(lines, index),
    });
  }
  for (let i = index + 1; i < lines.length; i++) {
    const { kind, visible, end } = lines[i] ?? line;
    if (kind === "section" || kind === "setting") break;
    if (kind !== "continuation") continue;
    if (LIKE_SETTING.test(text.slice(visible, end))) {
      throw new HelperError(
        "credentials-file",
        `${label} was not changed: line ${i + 1} is indented, so it belongs to the value of ` +
          `${line.name}, which would be replaced; remove the indentation`,
      );
    }
    edits.push({ start: lines[i - 1]?.end ?? end, end, text: "" });
  }
  return edits;
}

/** Adds settings for `keys` below the line at `index`. */
function addSettings(
  text: string,
  lines: readonly IniLine[],
  index: number,
  keys: readonly string[],
  values: ReadonlyMap<string, string>,
): Edit[] {
  const above = lines[index];
  if (!above || keys.length === 0) return [];
  // If the next setting were indented deeper than these, it would become part of the last one.
  const sibling = above.kind === "setting"
    ? above
    : lines.slice(index + 1).find(({ kind }) => kind !== "blank" && kind !== "comment");
  const indent = sibling ? text.slice(sibling.start, sibling.visible) : "";
  const lineEnd = lineEndAt(lines, index);
  const added = keys.map((key) => `${lineEnd}${indent}${key} = ${values.get(key)}`);
  return [{ start: above.end, end: above.end, text: added.join("") }];
}

/** Adds a section at the end of `text`; a last line without a line end stays so. */
function appendSection(
  text: string,
  lines: readonly IniLine[],
  profile: string,
  keys: readonly string[],
  values: ReadonlyMap<string, string>,
): string {
  const last = lines.at(-1);
  const lineEnd = lineEndAt(lines, lines.length - 1);
  const settings = keys.map((key) => `${key} = ${values.get(key)}`);
  const section = [`[${profile}]`, ...settings].join(lineEnd);
  if (!last) return `${text}${section}${lineEnd}`;
  const blank = last.kind === "blank" ? "" : lineEnd;
  return last.lineEnd === ""
    ? `${text}${lineEnd}${blank}${section}`
    : `${text}${blank}${section}${lineEnd}`;
}

/** Returns the line end of the line at `index`, or of the nearest line above that has one. */
function lineEndAt(lines: readonly IniLine[], index: number): string {
  for (let i = index; i >= 0; i--) {
    const { lineEnd = "" } = lines[i] ?? {};
    if (lineEnd !== "") return lineEnd;
  }
  return "\n";
}
