/**
 * The style rule for comments, messages, names and documents, where a pattern can check it. Checked
 * are the words of the dialect that issue 17 removed, and the first word of a comment. The length
 * of sentences is checked in comments and in documents.
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { assertEquals, assertGreater } from "@std/assert";

import { longestSentence, readComments } from "./support/comments.ts";
import { findDialect } from "./support/dialect.ts";
import { readProse } from "./support/document_prose.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Folders that are checked. */
const FOLDERS = ["src", "plugins", "packaging", "tests", ".github", ".ci"];

/** Files of the root folder. */
const DOCUMENTS = ["README.md", "commands.md", "Makefile"];

/** Names of the files that are checked. */
const CHECKED = /(?:\.(?:md|sh|py|ps1|c|h)|(?<!\.d)\.ts)$|\/\.ci\/run$/;

/** Files whose comments begin with "#". */
const HASH_COMMENTS = /\.(?:sh|py|ps1)$|^Makefile$|^\.ci\//;

/** Files that contain the words in order to find them. */
const SKIPPED = ["tests/prose_test.ts", "tests/support/dialect.ts"];

/** First words of a comment that does not begin with a verb or a noun. */
const OPENING = /^(?:What|Whether|Who|Which|Where|How)\b/;

/** First words of a comment on a type: it is a noun, not what the type does. */
const VERB =
  /^(?:Adds|Calls|Checks|Collects|Counts|Creates|Decodes|Decrypts|Emulates|Encodes|Finds|Handles|Hashes|Iterates|Keeps|Loads|Logs in|Makes|Opens|Parses|Picks|Prints|Reads|Records|Removes|Returns|Runs|Searches|Sends|Starts|Throws|Vends|Verifies|Writes|Yields)\b(?! of\b)/;

/** A declaration that is a type. */
const TYPE = /^(?:export )?(?:default )?(?:abstract )?(?:class|interface|type|enum) /;

/** A declaration of a function. */
const FUNCTION = /^(?:export )?(?:default )?(?:async )?function\b/;

/** Beginning of a comment on a function: a verb in the third person. */
const THIRD_PERSON = /^[A-Z][a-z]*(?:-[a-z]+)?s\b/;

/** Most words in a sentence of a comment or a document: rule 5 of CONTRIBUTING.md. */
const MAX_WORDS = 20;

/** A word in its technical or plain sense. */
interface Exception {
  readonly files: RegExp;
  readonly word: string;
  /** Lines on which it is allowed; absent: all lines. */
  readonly line?: RegExp;
  readonly reason: string;
}

/** A line that is not a comment. */
const CODE = /^(?!\s*(?:\/\/|\/?\*))/;

const ALLOWED: readonly Exception[] = [
  {
    files: /^src\/cli\/(?:completions|flags|settings)\/|^tests\/cli\/(?:help|parse)_test\.ts$/,
    word: "words",
    reason: "words of a command line",
  },
  {
    files: /^tests\/e2e\/(?:configure|doctor_clients|help|windows_documents)_test\.ts$/,
    word: "words",
    line: CODE,
    reason: "words of a command line",
  },
  {
    files: /^plugins\/file\/hash_(?:loop|iterations)\.ts$/,
    word: "words",
    reason: "32-bit and 64-bit words of a hash function (FIPS 180-4)",
  },
  { files: /^tests\/fuzz\//, word: "WORDS", reason: "dictionary of a fuzzer" },
  {
    files:
      /^src\/(?:cli\/doctor\/check_network|rolesanywhere\/service_call)\.ts$|^tests\/e2e\/doctor_test\.ts$/,
    word: "behind",
    reason: "a clock that is behind another",
  },
  {
    files: /^(?:\.github\/CONTRIBUTING\.md|tests\/support\/comments\.ts)$/,
    word: "words",
    reason: "the rule limits the number of words of a sentence",
  },
  {
    files: /^plugins\/file\/passphrase_prompt\.ts$|^commands\.md$/,
    word: "give",
    line: /\bgive it with --pkcs8-password/,
    reason: "the message advises the user to give a passphrase with a flag",
  },
  {
    files:
      /^tests\/(?:keystore\/(?:open_identity|store|uri)|e2e\/(?:arm64_keychain|selftest|windows_store))_test\.ts$/,
    word: "words",
    line: CODE,
    reason: "name of a variable for a part of a message",
  },
  {
    files: /^tests\/support\/runner(?:_test)?\.ts$/,
    word: "behind",
    line: CODE,
    reason: "messages of the test runner about what a step left behind",
  },
  {
    files: /^tests\/e2e\/wrong_inputs_test\.ts$/,
    word: "says",
    line: /\bsays(?::|, options|\);$)/,
    reason: "name of a property for the message",
  },
  {
    files: /^tests\/e2e\/completions_test\.ts$/,
    word: "SAYS",
    line: CODE,
    reason: "name of a constant for a message",
  },
  {
    files: /^tests\/keystore\/store_test\.ts$/,
    word: "alone",
    line: CODE,
    reason: "name of a variable",
  },
  { files: /^tests\/.*\.ts$/, word: "said", line: CODE, reason: "name of a variable" },
];

/** Text of each file by its path below the root, with slashes. */
type Sources = ReadonlyMap<string, string>;

/** Returns the violations in `sources`, one line each. */
function violations(sources: Sources): string[] {
  const found: string[] = [];
  for (const [file, text] of sources) {
    const lines = text.split("\n");
    for (const [i, line] of lines.entries()) {
      for (const { word, plain } of findDialect(line)) {
        if (!isAllowed(file, word, line)) found.push(`${file}:${i + 1}: "${word}"; use: ${plain}`);
      }
      if (file.endsWith(".md")) continue;
      const start = (HASH_COMMENTS.test(file) ? hashCommentStart : commentStart)(
        line,
        lines[i - 1] ?? "",
      );
      const [opening] = OPENING.exec(start) ?? [];
      if (opening) {
        found.push(
          `${file}:${i + 1}: a comment begins with "${opening}"; begin with a verb or noun`,
        );
      }
    }
    if (file.endsWith(".ts")) found.push(...commentViolations(file, text));
    if (file.endsWith(".md")) found.push(...documentViolations(file, text));
  }
  return found;
}

/** Returns the violations in the sentences of a document. */
function documentViolations(file: string, text: string): string[] {
  return readProse(text).flatMap((paragraph) => longSentence(file, paragraph.line, paragraph.text));
}

/** Returns the violation of a paragraph with a long sentence. */
function longSentence(file: string, line: number, ...paragraphs: readonly string[]): string[] {
  const words = Math.max(0, ...paragraphs.map(longestSentence));
  if (words <= MAX_WORDS) return [];
  return [`${file}:${line}: a sentence has ${words} words; at most ${MAX_WORDS}`];
}

/** Returns the violations in the comments of TypeScript code. */
function commentViolations(file: string, text: string): string[] {
  const found: string[] = [];
  for (const { line, isDocumentation, paragraphs, code } of readComments(text)) {
    const [start = ""] = paragraphs;
    if (isDocumentation) {
      if (TYPE.test(code) && VERB.test(start)) {
        found.push(`${file}:${line}: the comment on a type begins with a verb; begin with a noun`);
      }
      if (FUNCTION.test(code) && start !== "" && !THIRD_PERSON.test(start)) {
        found.push(`${file}:${line}: the comment on a function begins with no verb`);
      }
    }
    found.push(...longSentence(file, line, ...paragraphs));
  }
  return found;
}

function isAllowed(file: string, word: string, line: string): boolean {
  return ALLOWED.some((allowed) =>
    allowed.word === word && allowed.files.test(file) && (allowed.line?.test(line) ?? true)
  );
}

/** Returns the text of the comment that begins on `line`, or an empty text. */
function commentStart(line: string, before: string): string {
  const isFirst = /^\s*\/\*\*?$/.test(before);
  const isContinued = /^\s*\/\//.test(line) && /^\s*\/\//.test(before);
  const [, text = ""] = (isFirst ? /^\s*\* (.*)/ : /(?:^|\s)(?:\/\/|\/\*\*?) (.*)/).exec(line) ??
    [];
  return isContinued ? "" : text;
}

/** Returns the text of the comment that begins on `line` with "#", or an empty text. */
function hashCommentStart(line: string, before: string): string {
  const text = /^\s*# (.*)/.exec(line)?.[1] ?? "";
  return /^\s*#(?!!)/.test(before) ? "" : text;
}

function readSources(folders: readonly string[]): Sources {
  const sources = new Map<string, string>();
  const read = (path: string) => {
    const file = relative(ROOT, path).replaceAll("\\", "/");
    if (!SKIPPED.includes(file)) sources.set(file, Deno.readTextFileSync(path));
  };
  const visit = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory) visit(path);
      else if (CHECKED.test(path.replaceAll("\\", "/"))) read(path);
    }
  };
  for (const folder of folders) visit(join(ROOT, folder));
  for (const document of DOCUMENTS) read(join(ROOT, document));
  return sources;
}

Deno.test("comments, messages, names and documents keep to the style rule", () => {
  const sources = readSources(FOLDERS);
  const documents = [...sources.keys()].filter((file) => file.endsWith(".md"));
  assertGreater(documents.length, 15);
  assertGreater(sources.size - documents.length, 500);
  assertEquals(violations(sources), []);
});

/** Texts that violate the rule, with the word that is found in line 2. */
const PLANTED: readonly (readonly [text: string, word: string])[] = [
  ["/** Returns the key that stands in the file. */", "stands"],
  ["// Read the certificate beside the key.", "beside"],
  ["  readonly beside?: Certificate;", "beside"],
  ['throw new Error("nobody told the key");', "told"],
  ["const message = `the file ${path} tells nothing`;", "tells"],
  ["/** For RSA alone. */", "alone"],
  ["/** Opens it anew. */", "anew"],
  ["// Whoever waits gets it.", "Whoever"],
  ["/** Bytes behind the end. */", "behind"],
  ["/** Gives the key. */", "Gives"],
  ['const message = "it is no certificate";', "is no"],
  ["// They are no keys.", "are no"],
  ["const say = (text: string) => {};", "say"],
  ["function log(words: string): void {}", "words"],
  ["/** What a key is. */", "What"],
  ["/** Whether it is open. */", "Whether"],
  ["// Who may read it.", "Who"],
  ["const a = 1; // Which one", "Which"],
  ["/* Where it is. */", "Where"],
  ["/** How it works. */", "How"],
];

for (const [text, word] of PLANTED) {
  Deno.test(`violations() finds "${word}" in ${text}`, () => {
    const found = violations(new Map([["src/a.ts", `const b = 2;\n${text}\n`]]));
    assertEquals(found.length, 1, found.join("\n"));
    assertEquals(found[0]?.startsWith("src/a.ts:2: "), true, found[0]);
    assertEquals(found[0]?.includes(`"${word}"`), true, found[0]);
  });
}

Deno.test("violations() finds the first word of a comment of several lines", () => {
  const text = "/**\n * What it is.\n *\n * Where it is.\n */\n";
  const found = violations(new Map([["src/a.ts", text]]));
  assertEquals(found, ['src/a.ts:2: a comment begins with "What"; begin with a verb or noun']);
});

Deno.test("violations() finds an allowed word in a file without the exception", () => {
  const text = "const words = line.split(/ /);\n";
  const sources = new Map([["src/cli/completions/a.ts", text], ["src/imds/a.ts", text]]);
  assertEquals(violations(sources), ['src/imds/a.ts:1: "words"; use: message, text']);
});

Deno.test("violations() finds the words, but no first word of a comment, in a document", () => {
  const text = "It stands alone.\n\n// What it is\n";
  assertEquals(violations(new Map([["README.md", text]])), [
    'README.md:1: "stands"; use: is',
    'README.md:1: "alone"; use: only',
  ]);
});

Deno.test("violations() finds a word in a comment that is allowed only in code", () => {
  const text = 'const words = "";\n// Its words.\n/** Its words. */\n * its words\n';
  const sources = new Map([["tests/keystore/uri_test.ts", text]]);
  assertEquals(
    violations(sources),
    [2, 3, 4].map((line) => `tests/keystore/uri_test.ts:${line}: "words"; use: message, text`),
  );
});

/** TypeScript code whose comment violates the rule, with a part of the violation. */
const PLANTED_COMMENTS: readonly (readonly [text: string, part: string])[] = [
  ["/** Reads a file. */\nexport type Read = () => void;", "the comment on a type"],
  ["/**\n * Opens it.\n */\nclass A {}", "the comment on a type"],
  ["/** The key of it. */\nexport async function key() {}", "the comment on a function"],
  [`/** Reads ${"a ".repeat(19)}b. */`, "has 21 words"],
  [`// Reads it. Sends\n// ${"a ".repeat(20)}b.`, "has 22 words"],
];

for (const [text, part] of PLANTED_COMMENTS) {
  Deno.test(`violations() finds the comment ${JSON.stringify(text)}`, () => {
    const found = violations(new Map([["src/a.ts", `${text}\n`]]));
    assertEquals(found.length, 1, found.join("\n"));
    assertEquals(found[0]?.includes(part), true, found[0]);
  });
}

Deno.test("violations() finds the first word of a comment in a script", () => {
  const text = "#!/bin/sh\n# What it is.\n# Which one.\n";
  const found = violations(new Map([["a.sh", text]]));
  assertEquals(found, ['a.sh:2: a comment begins with "What"; begin with a verb or noun']);
});

/** A sentence that is too long. */
const LONG = `${"a ".repeat(20)}b.`;

/** Documents with a sentence that is too long, and its line. */
const PLANTED_PROSE: readonly (readonly [text: string, line: number])[] = [
  [`# A\n\n${LONG}`, 3],
  [`A:\n\n- A.\n- ${LONG}`, 4],
  [`1. A. ${LONG}`, 1],
  [`${"a ".repeat(10)}\n${"[a](b c)  ".repeat(10)}b.`, 1],
  [`\`\`\`sh\na\n\`\`\`\n${LONG}`, 4],
  [`<!-- generated: a -->\n\n| a |\n\n<!-- end -->\n\n**A.** ${LONG}`, 7],
];

for (const [text, line] of PLANTED_PROSE) {
  Deno.test(`violations() finds the sentence in ${JSON.stringify(text)}`, () => {
    const message = `a.md:${line}: a sentence has 21 words; at most 20`;
    assertEquals(violations(new Map([["a.md", text]])), [message]);
  });
}

/** Documents within the rule. */
const SOUND_PROSE = [
  `A. ${"a ".repeat(19)}b.`,
  `- ${"a ".repeat(15)}\n- ${"a ".repeat(15)}`,
  `${"a ".repeat(15)}\n\n${"a ".repeat(15)}`,
  `# ${LONG}`,
  `| ${LONG} |`,
  `<!-- ${LONG}\n${LONG} -->`,
  `---\nabout: ${LONG}\n---\n`,
  `\`\`\`text\n${LONG}\n\`\`\``,
  `<!-- generated: a -->\n\n${LONG}\n\n<!-- end -->`,
  `A \`${LONG}\` and [a](https://a.invalid/ "${LONG}").`,
  `Contents: ${"[a b c](#a) · ".repeat(10)}[a](#a)`,
];

for (const text of SOUND_PROSE) {
  Deno.test(`violations() finds no long sentence in ${JSON.stringify(text)}`, () => {
    assertEquals(violations(new Map([["a.md", text]])), []);
  });
}

/** Texts within the rule. */
const SOUND = [
  "// There is no terminal, and there are no keys.",
  "/** Closes a key that is no longer used. */",
  "/** Reader of a file. */\ntype Read = () => void;",
  "/** Percent-encodes it. */\nfunction encode() {}",
  `// Reads it. ${"a ".repeat(20)}\n//\n// - ${"a ".repeat(40)}\n// | ${"a ".repeat(40)}`,
  `// Reads \`${"a ".repeat(40)}\` and {@link ${"a ".repeat(40)}}.`,
  "/**\n * Returns the key, and the place\n * Where it is.\n */",
  "// Reads the key.\n// Which one does not matter.",
  'const standard = forgive(wordsize, "https://a.invalid/ What");',
];

for (const text of SOUND) {
  Deno.test(`violations() finds none in ${JSON.stringify(text)}`, () => {
    assertEquals(violations(new Map([["src/a.ts", text]])), []);
  });
}
