/**
 * Writing a session's credentials into the text of a credentials file, where nothing else changes.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { CREDENTIAL_KEYS, OLD_TOKEN_KEY, valuesByKey } from "./credential_keys.ts";
import { type IniLine, readIniLines, settingsOf } from "./ini_lines.ts";
import { applyEdits, type Edit } from "./text_edits.ts";

/**
 * `text` with the credentials in the section `[profile]`.
 *
 * Keys that stand there keep their spelling, spacing and place; keys that do not stand there are
 * added below the others, or below the section's header; a section that does not exist is added at
 * the end. If several sections have this name, the SDKs that read such a file take the last value
 * of a key: all of them are written.
 *
 * Throws `credentials-file` when a setting would be lost, naming the file by `label`, and
 * `service-answer` for credentials that are more than a word each.
 */
export function withCredentials(
  text: string,
  profile: string,
  credentials: SessionCredentials,
  label: string,
): string {
  const keys: string[] = [...CREDENTIAL_KEYS];
  // To botocore, what [DEFAULT] has, every profile has that does not say otherwise.
  if (settingsOf(readIniLines(text), "DEFAULT").has(OLD_TOKEN_KEY)) keys.push(OLD_TOKEN_KEY);
  return withSettings(text, profile, valuesByKey(credentials), label, keys);
}

/**
 * `text` with settings in the section `[section]`, by the rules of {@link withCredentials}: the keys
 * of `values` get their value where they stand, and `keys` are added where they do not.
 */
export function withSettings(
  text: string,
  section: string,
  values: ReadonlyMap<string, string>,
  label: string,
  keys: readonly string[] = [...values.keys()],
): string {
  const lines = readIniLines(text);
  const { header, existing } = findSection(lines, section, values);
  if (header === undefined) return withSection(text, lines, section, keys, values);
  const names = new Set(existing.map((i) => lines[i]?.name));
  const missing = keys.filter((key) => !names.has(key));
  return applyEdits(text, [
    ...existing.flatMap((i) => replaceValue(text, lines, i, values, label)),
    ...addSettings(text, lines, existing.at(-1) ?? header, missing, values),
  ]);
}

/** Where the section is: its last header, and the lines of the settings that `values` has. */
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

/** A line of its own to other SDKs, and to people: a header, or a setting and not base64's end. */
const LIKE_SETTING = /^\[|^[a-z][\w-]*\s*[=:]\s*[^=\s]/i;

/** Puts the new value in the place of the old one, all its lines included. */
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
  // botocore knows no comment behind a value: the words go to a line of their own.
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
        `${label} was not changed: line ${i + 1} is indented and so a part of the value of ` +
          `${line.name}, which would be replaced; move it to the beginning of its line`,
      );
    }
    edits.push({ start: lines[i - 1]?.end ?? end, end, text: "" });
  }
  return edits;
}

/** Settings for `keys` below the line at `index`. */
function addSettings(
  text: string,
  lines: readonly IniLine[],
  index: number,
  keys: readonly string[],
  values: ReadonlyMap<string, string>,
): Edit[] {
  const above = lines[index];
  if (!above || keys.length === 0) return [];
  // Were the next setting indented deeper than these, it would become a part of the last of them.
  const beside = above.kind === "setting"
    ? above
    : lines.slice(index + 1).find(({ kind }) => kind !== "blank" && kind !== "comment");
  const indent = beside ? text.slice(beside.start, beside.visible) : "";
  const lineEnd = lineEndAt(lines, index);
  const added = keys.map((key) => `${lineEnd}${indent}${key} = ${values.get(key)}`);
  return [{ start: above.end, end: above.end, text: added.join("") }];
}

/** `text` with a new section at its end; a last line without line end is left so. */
function withSection(
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

/** The line end of the line at `index`, or of the nearest above it that has one. */
function lineEndAt(lines: readonly IniLine[], index: number): string {
  for (let i = index; i >= 0; i--) {
    const { lineEnd = "" } = lines[i] ?? {};
    if (lineEnd !== "") return lineEnd;
  }
  return "\n";
}
