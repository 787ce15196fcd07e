/** Sizes, links and code blocks of the documents. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { posix } from "node:path";

import { archiveOf, tagOf } from "../../packaging/image.ts";
import { VARIANTS } from "../../packaging/image/root.ts";
import {
  anchorsOf,
  blocks,
  blocksOf,
  documents,
  linksOf,
  readDocument,
  RUN_BY,
  withoutBlocks,
} from "../support/documents.ts";

const MAX_README_BYTES = 25_000;
const MAX_README_LINES = 400;
const MAX_COLUMNS = 140;

const ROOT = new URL("../../", import.meta.url);

/** Documents whose blocks have no comments: the reference's are tested by command. */
const WITHOUT_COMMENTS = ["commands.md", "packaging/CHANGELOG.md"];

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("README.md is short", () => {
  const text = readDocument("README.md");
  const bytes = new TextEncoder().encode(text).length;
  assert(bytes <= MAX_README_BYTES, `README.md has ${bytes} bytes`);
  const lines = text.split("\n").length - 1;
  assert(lines <= MAX_README_LINES, `README.md has ${lines} lines`);
});

Deno.test("README.md begins with make demo and make test", () => {
  const [first] = blocksOf(readDocument("README.md"));
  assertEquals(first?.text, "make demo\nmake test\n");
});

for (const path of documents()) {
  const text = readDocument(path);

  Deno.test(`${path}: no line is wider than ${MAX_COLUMNS} columns`, () => {
    // The reference's tables are generated, and its blocks are output of one line.
    const lines = path === "commands.md"
      ? text.replaceAll(/^```.*\n[^]*?^```$/gm, "").split("\n").filter((l) => !l.startsWith("|"))
      : text.split("\n");
    assertEquals(lines.filter((line) => [...line].length > MAX_COLUMNS), []);
  });

  Deno.test(`${path}: every link leads to a file and a heading`, () => {
    const broken = linksOf(text).filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [file = "", anchor = ""] = target.split("#");
      const to = file === "" ? path : posix.normalize(posix.join(posix.dirname(path), file));
      if (!exists(to)) return true;
      return anchor !== "" && !anchorsOf(readDocument(to)).has(anchor);
    });
    assertEquals(broken, []);
  });

  Deno.test(`${path}: a contents list has every section`, () => {
    const [, contents] = /^Contents: ([^]*?)\n\n/m.exec(text) ?? [];
    if (contents === undefined) return;
    const listed = linksOf(contents);
    const sections = withoutBlocks(text).match(/^## .+$/gm) ?? [];
    const missing = sections.flatMap((heading) => [...anchorsOf(heading)])
      .filter((anchor) => !listed.includes(`#${anchor}`));
    assertEquals(missing, []);
  });

  if (WITHOUT_COMMENTS.includes(path) || path.startsWith(".github/")) continue;

  Deno.test(`${path}: a test runs each code block, or a comment has the reason why not`, () => {
    const undeclared = blocksOf(text).filter(({ kind }) => kind === undefined);
    assertEquals(undeclared.map(({ line }) => line), []);
    const unknown = blocksOf(text).filter(({ kind, note }) => kind !== "not run" && !RUN_BY[note]);
    assertEquals(unknown.map(({ note }) => note), []);
  });
}

Deno.test("each name of a block is in a document and in its test", () => {
  const used = new Set(
    documents().flatMap((path) => blocksOf(readDocument(path)))
      .filter(({ kind }) => kind === "run" || kind === "output").map(({ note }) => note),
  );
  assertEquals([...used].toSorted(), Object.keys(RUN_BY).toSorted());
  for (const [name, test] of Object.entries(RUN_BY)) {
    const text = Deno.readTextFileSync(new URL(test, ROOT));
    assert(text.includes(`"${name}"`), `${test} does not run the blocks "${name}"`);
  }
});

Deno.test("packaging/README.md loads an image that make image makes, and runs the same one", () => {
  const commands = blocksOf(readDocument("packaging/README.md")).map(({ text }) => text).join("\n");
  const tag = tagOf(VARIANTS[0]);
  const sources = [...commands.matchAll(/oci-archive:(\S+)/g)].map(([, source]) => source);
  const source = `build/image/${archiveOf("amd64")}:${tag}`;
  assertEquals(sources, [source, source]);
  const [, loaded] = /docker-daemon:(\S+)/.exec(commands) ?? [];
  assertEquals(loaded, `aws_signing_helper:${tag}`);
  const run = [...commands.matchAll(/:\/identity:ro" (?:\\\n\s*)?(\S+)/g)].map(([, image]) =>
    image
  );
  assertEquals(run, [loaded, loaded]);
});

Deno.test("the messages that commands.md and plugins/tpm quote are messages of the program", () => {
  const [, section = ""] = readDocument("commands.md").split("\n## Messages\n");
  const own = section.replace(/^### The service\n[^]*?^###/m, "###");
  // The remedy follows the colon.
  const heads = [...own.matchAll(/^- ((?:[^:`]|`[^`]*`)+):\s/gm)].map(([, head = ""]) => head);
  assert(heads.length > 40);
  const quotes = heads.flatMap((head) => [...head.matchAll(/`([^`]+)`/g)].map(([, text]) => text));
  const [, table = ""] = readDocument("plugins/tpm/README.md").split(
    "key cannot be used\n\nThe exit",
  );
  const rows = [...table.matchAll(/^\| (.+?) \|/gm)].map(([, cell = ""]) => cell).slice(2);
  assert(rows.length > 5);
  const code = ["src", "plugins"].flatMap((folder) => sources(folder)).join("")
    .replaceAll(/["`] \+\s*["`]/g, "");
  const fragments = [...quotes, ...rows].flatMap((quote = "") => quote.split(/[ ,]*…[ ,]*/))
    .filter((fragment) => fragment.includes(" "));
  assertEquals(fragments.filter((fragment) => !code.includes(fragment)), []);
});

/** Returns the texts of the TypeScript files below a folder. */
function sources(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sources(path);
    return name.endsWith(".ts") ? [Deno.readTextFileSync(new URL(path, ROOT))] : [];
  });
}

Deno.test("blocksOf() reads comments, and blocks() throws for a name that is not there", () => {
  const text = "a\n\n<!-- run: x -->\n\n```sh\ntrue\n```\n\n```\nout\n```\n";
  assertEquals(blocksOf(text), [
    { line: 5, language: "sh", text: "true\n", kind: "run", note: "x" },
    { line: 9, language: "", text: "out\n", kind: undefined, note: "" },
  ]);
  assertThrows(() => blocks("README.md", "nothing"), Error, 'no block "run: nothing"');
});

Deno.test("anchorsOf() and linksOf() read what GitHub does", () => {
  const text =
    "# A `b_c` (d)\n\n## A b\n\n## A b\n\n[x](#a-b) `[y](z)`\n\n```\n# no\n[n](o)\n```\n\n[r]: u#v\n";
  assertEquals([...anchorsOf(text)], ["a-b_c-d", "a-b", "a-b-1"]);
  assertEquals(linksOf(text), ["#a-b", "u#v"]);
});
