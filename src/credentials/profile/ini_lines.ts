/**
 * Lines of a credentials file, as read by Python's configparser, which botocore and the AWS CLI use. The
 * other SDKs agree on common files. Where they differ, configparser is the strictest.
 *
 * @module
 */

/** Kind of a line. */
export type LineKind =
  | "blank"
  | "comment"
  /** `[name]`. */
  | "section"
  /** `key = value` or `key: value`. */
  | "setting"
  /** Indented deeper than the setting above it, so part of that setting's value. */
  | "continuation"
  /** Anything else: configparser refuses the file. */
  | "stray";

/** Line; all positions are offsets in the text. */
export interface IniLine {
  readonly kind: LineKind;
  readonly start: number;
  /** End of its text and start of its line end. */
  readonly end: number;
  /** `\n`, `\r\n`, `\r`, or nothing in a last line without one. */
  readonly lineEnd: string;
  /** Position of its first visible character. */
  readonly visible: number;
  /** Section name as written, or key in lower case; otherwise empty. */
  readonly name: string;
  /** Start and end of a setting's value on this line; both are `end` for an empty value. */
  readonly value: readonly [start: number, end: number];
}

/** Characters of Python's `str.isspace`, except line ends. */
// deno-lint-ignore no-control-regex -- botocore strips with str.strip(), which takes 1c to 1f as spaces
const SPACE = /[\t\v\f\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

const BYTE_ORDER_MARK = "\ufeff";

/** Returns all lines of `text`, in order. A leading byte order mark belongs to none. */
export function readIniLines(text: string): IniLine[] {
  const lines: IniLine[] = [];
  const reader = new LineReader(text);
  const lineEnds = /\r\n|\r|\n|$/g;
  for (let start = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0; start < text.length;) {
    lineEnds.lastIndex = start;
    const found = lineEnds.exec(text);
    const end = found?.index ?? text.length;
    const lineEnd = found?.[0] ?? "";
    lines.push(reader.read(start, end, lineEnd));
    start = end + lineEnd.length;
  }
  return lines;
}

/** Returns the keys of all settings in the sections of this name. */
export function settingsOf(lines: readonly IniLine[], section: string): ReadonlySet<string> {
  const keys = new Set<string>();
  let current = "";
  for (const { kind, name } of lines) {
    if (kind === "section") current = name;
    if (kind === "setting" && current === section) keys.add(name);
  }
  return keys;
}

/** Reader of lines, with the state that the previous lines set for the next one. */
class LineReader {
  readonly #text: string;
  #indent = 0;
  #inSection = false;
  #inSetting = false;

  constructor(text: string) {
    this.#text = text;
  }

  read(start: number, end: number, lineEnd: string): IniLine {
    let visible = start;
    while (visible < end && SPACE.test(this.#text.charAt(visible))) visible++;
    const blank = { start, end, lineEnd, visible, name: "", value: [end, end] } as const;
    if (visible === end) return { ...blank, kind: "blank" };
    if (/[#;]/.test(this.#text.charAt(visible))) return { ...blank, kind: "comment" };
    if (this.#inSection && this.#inSetting && visible - start > this.#indent) {
      return { ...blank, kind: "continuation" };
    }
    this.#indent = visible - start;
    let last = end;
    while (SPACE.test(this.#text.charAt(last - 1))) last--;
    return { ...blank, ...this.#read(visible, last, end) };
  }

  /** Reads the section or setting in the text from `visible` to `last`. */
  #read(visible: number, last: number, end: number): Pick<IniLine, "kind" | "name" | "value"> {
    const content = this.#text.slice(visible, last);
    const close = content.startsWith("[") ? content.lastIndexOf("]") : -1;
    if (close > 1) {
      this.#inSection = true;
      this.#inSetting = false;
      return { kind: "section", name: content.slice(1, close), value: [end, end] };
    }
    const delimiter = content.search(/[=:]/);
    // Lines after an unreadable line belong to it, not to the setting above it.
    if (delimiter < 0) this.#inSetting = false;
    if (!this.#inSection || delimiter < 0) return { kind: "stray", name: "", value: [end, end] };
    this.#inSetting = delimiter > 0;
    if (delimiter === 0) return { kind: "stray", name: "", value: [end, end] };
    let first = visible + delimiter + 1;
    while (first < last && SPACE.test(this.#text.charAt(first))) first++;
    const value = first < last ? [first, last] as const : [end, end] as const;
    return { kind: "setting", name: trimEnd(content.slice(0, delimiter)).toLowerCase(), value };
  }
}

function trimEnd(text: string): string {
  let last = text.length;
  while (SPACE.test(text.charAt(last - 1))) last--;
  return text.slice(0, last);
}
