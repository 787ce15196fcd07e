/**
 * Documents of the repository and their code blocks.
 *
 * A comment above each block has one of these forms:
 *
 * - `<!-- run: NAME -->`: the test file of {@link RUN_BY} runs all blocks of this name, in their order.
 * - `<!-- output: NAME -->`: the same test compares its output with the block.
 * - `<!-- not run: REASON -->`
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Folders without documents of ours. */
const NOT_OURS = ["build", ".git", "node_modules"];

/** Test file that runs the blocks of a name. */
export const RUN_BY: Readonly<Record<string, string>> = {
  "alpine image": "tests/release/image_test.ts",
  "bash completion": "tests/e2e/documents_test.ts",
  "cache": "tests/e2e/quick_start_test.ts",
  "chain policies": "tests/e2e/documents_test.ts",
  "clean-up": "tests/e2e/quick_start_test.ts",
  "configure": "tests/e2e/quick_start_test.ts",
  "doctor": "tests/e2e/quick_start_test.ts",
  "encrypted key": "tests/e2e/documents_test.ts",
  "fish completion": "tests/e2e/documents_test.ts",
  "github actions": "tests/e2e/ci_examples_test.ts",
  "gitlab ci": "tests/e2e/ci_examples_test.ts",
  "inputs": "tests/e2e/documents_test.ts",
  "kustomization": "tests/release/kubernetes_test.ts",
  "make demo": "tests/e2e/make_test.ts",
  "other system": "tests/e2e/documents_test.ts",
  "pkcs12": "tests/e2e/documents_test.ts",
  "quick start": "tests/e2e/quick_start_test.ts",
  "redirect": "tests/support/fixed_address.ts",
  "role chaining": "tests/e2e/documents_test.ts",
  "roles": "tests/e2e/serve_roles_test.ts",
  "s3cmd": "tests/clients/aws_clients.ts",
  "serve": "tests/e2e/quick_start_test.ts",
  "serve by hand": "tests/e2e/quick_start_test.ts",
  "serve client": "tests/e2e/quick_start_test.ts",
  "sign-string": "tests/e2e/documents_test.ts",
  "systemd roles": "tests/release/systemd_test.ts",
  "spire walk": "tests/e2e/spiffe_walk_test.ts",
  "systemd serve": "tests/release/systemd_test.ts",
  "systemd source": "tests/release/systemd_test.ts",
  "systemd update": "tests/release/systemd_test.ts",
  "token list": "tests/e2e/documents_test.ts",
  "token walk": "tests/e2e/documents_test.ts",
  "tpm walk": "tests/e2e/tpm_walk_test.ts",
  "update": "tests/e2e/quick_start_test.ts",
  "windows configure": "tests/e2e/windows_documents_test.ts",
  "zsh completion": "tests/e2e/documents_test.ts",
};

/** Code block of a document. */
export interface Block {
  /** Line of its first fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** Kind in the comment above it; undefined without a comment. */
  readonly kind: "run" | "output" | "not run" | undefined;
  /** Name or reason in the comment. */
  readonly note: string;
}

/** Returns the paths of all documents, relative to the project's folder. */
export function documents(folder = ""): string[] {
  return [...Deno.readDirSync(`${ROOT}${folder}`)].flatMap(({ name, isDirectory, isFile }) => {
    if (NOT_OURS.includes(name)) return [];
    if (isDirectory) return documents(`${folder}${name}/`);
    return isFile && name.endsWith(".md") ? [`${folder}${name}`] : [];
  }).toSorted();
}

/** Reads a document. */
export function readDocument(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

/** Returns the code blocks of a text. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  for (const match of text.matchAll(/^```(.*)\n([^]*?)^```$/gm)) {
    const before = text.slice(0, match.index);
    const comment = /<!-- (run|output|not run): (.+) -->\n+$/.exec(before);
    blocks.push({
      line: before.split("\n").length,
      language: match[1] ?? "",
      text: match[2] ?? "",
      kind: comment?.[1] as Block["kind"],
      note: comment?.[2] ?? "",
    });
  }
  return blocks;
}

/** Returns the texts of a document's blocks of a kind and name. Throws if there are none. */
export function blocks(path: string, name: string, kind: Block["kind"] = "run"): string[] {
  const found = blocksOf(readDocument(path))
    .filter((block) => block.kind === kind && block.note === name);
  if (found.length === 0) throw new Error(`${path} has no block "${kind}: ${name}"`);
  return found.map(({ text }) => text);
}

/** Returns the anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutBlocks(text).matchAll(/^#+ (.+)$/gm)) {
    const plain = heading.replaceAll(/\]\([^)]*\)/g, "").toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let i = 1; anchors.has(unique); i++) unique = `${anchor}-${i}`;
    anchors.add(unique);
  }
  return anchors;
}

/** Returns the targets of a document's links. */
export function linksOf(text: string): string[] {
  const prose = withoutBlocks(text).replaceAll(/`[^`]*`/g, "code");
  return [
    ...[...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target),
    ...[...prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)].map(([, target = ""]) => target),
  ];
}

/** Returns a text without its code blocks. */
export function withoutBlocks(text: string): string {
  return text.replaceAll(/^```.*\n[^]*?^```$/gm, "");
}
