import { assertEquals } from "@std/assert";

import { readIniLines } from "../../src/credentials/profile/ini_lines.ts";

/** Returns each line as `kind name=value`. */
function read(text: string): string[] {
  return readIniLines(text).map(({ kind, name, value }) =>
    kind === "setting"
      ? `setting ${name}=${text.slice(...value)}`
      : kind === "section"
      ? `section ${name}`
      : kind
  );
}

const LINES: Record<string, [text: string, lines: string[]]> = {
  "nothing": ["", []],
  "sections and settings": ["[a]\nk = v\n[b]\nk=v", [
    "section a",
    "setting k=v",
    "section b",
    "setting k=v",
  ]],
  "the last bracket as a section's end": ["[a]b] # see [1", ["section a]b"]],
  "text after a section's bracket as nothing": ["  [a b]  ; mine", ["section a b"]],
  "blanks within brackets as part of the name": ["[ a ]", ["section  a "]],
  "empty brackets as no section": ["[a]\n[]\n[b", ["section a", "stray", "stray"]],
  "keys in lower case": ["[a]\nAWS_Key\t: V v ", ["section a", "setting aws_key=V v"]],
  "the first delimiter": ["[a]\nk = a=b:c\nl:a=b", [
    "section a",
    "setting k=a=b:c",
    "setting l=a=b",
  ]],
  "an empty value": ["[a]\nk =\nl = ", ["section a", "setting k=", "setting l="]],
  "a line indented deeper than a setting as its value": [
    "[a]\nk = v\n  m = w\n n\nl = v",
    ["section a", "setting k=v", "continuation", "continuation", "setting l=v"],
  ],
  "a value's lines after blank lines and comments": [
    "[a]\nk = v\n\n# c\n  w",
    ["section a", "setting k=v", "blank", "comment", "continuation"],
  ],
  "indented settings of a section": [
    "[a]\n  k = v\n  l = v\n m = v",
    ["section a", "setting k=v", "setting l=v", "setting m=v"],
  ],
  "an indented header below a setting as its value": [
    "[a]\nk = v\n [b]",
    ["section a", "setting k=v", "continuation"],
  ],
  "an indented header below a header": ["[a]\n  [b]\nk=v", [
    "section a",
    "section b",
    "setting k=v",
  ]],
  "comments": ["# a\n;b\n  # [c]\n[d]\n;k = v", [
    "comment",
    "comment",
    "comment",
    "section d",
    "comment",
  ]],
  "a comment sign after a value as a part of it": ["[a]\nk = v # c", [
    "section a",
    "setting k=v # c",
  ]],
  "lines before every section as strays": ["k = v\n[a]", ["stray", "section a"]],
  "lines without delimiter, or without key, as strays": ["[a]\nword\n= v\n  x", [
    "section a",
    "stray",
    "stray",
    "stray",
  ]],
  "all three line ends": ["[a]\r\nk=v\rl=v\n\r\nm=v", [
    "section a",
    "setting k=v",
    "setting l=v",
    "blank",
    "setting m=v",
  ]],
  "blanks that are not ASCII": ["[a]\n\u00a0k\u2003=\u3000v\u0085", ["section a", "setting k=v"]],
  "a byte order mark before the first line": ["\ufeff[a]\nk=v", ["section a", "setting k=v"]],
};

for (const [what, [text, lines]] of Object.entries(LINES)) {
  Deno.test(`readIniLines() reads ${what}`, () => {
    assertEquals(read(text), lines);
  });
}

Deno.test("readIniLines() returns lines that make up the text, whatever their line ends", () => {
  const text = "\ufeff[a]\r\n\r\n k = v \n# c\rlast";
  const lines = readIniLines(text);
  const joined = lines.map(({ start, end, lineEnd }) => text.slice(start, end) + lineEnd).join("");
  assertEquals(`\ufeff${joined}`, text);
});
