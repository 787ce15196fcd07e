/** Prose of a Markdown document. */
export interface Paragraph {
  /** Number of its first line. */
  readonly line: number;
  /** A paragraph or a list item, with links as their text only. */
  readonly text: string;
}

const FENCE = /^\s*(?:```|~~~)/;
/** Headings, tables, HTML, definitions of links, and front matter. */
const NO_PROSE = /^\s*(?:#|\||<|\[[^\]]+\]:\s|---$)/;
const LIST_ITEM = /^\s*(?:[-*+]|\d+[.)])\s+/;
/** A list of links that are separated by dots, such as a table of contents. */
const LINK_LIST = /\]\([^()]*\) ·/;
/** A Markdown link or image, with its text in the first group. */
const LINK = /!?\[([^\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\])/g;

/** Returns the paragraphs and list items outside generated parts. */
export function readProse(document: string): Paragraph[] {
  const found: { line: number; lines: string[] }[] = [];
  let isCode = false;
  let isGenerated = false;
  let isHtml = false;
  let isOpen = false;
  const lines = document.split("\n");
  // Front matter: from a line of dashes at the beginning to the next one.
  const start = lines[0] === "---" ? lines.indexOf("---", 1) + 1 : 0;
  for (const [i, line] of lines.entries()) {
    if (i < start) continue;
    if (/^<!-- generated: /.test(line)) isGenerated = true;
    if (/^<!-- end -->/.test(line)) isGenerated = false;
    const isFence = FENCE.test(line);
    if (isFence) isCode = !isCode;
    if (/^\s*<!--/.test(line)) isHtml = true;
    const isSkipped = isCode || isFence || isGenerated || isHtml || NO_PROSE.test(line);
    if (line.includes("-->")) isHtml = false;
    if (isSkipped || line.trim() === "") {
      isOpen = false;
      continue;
    }
    if (!isOpen || LIST_ITEM.test(line)) found.push({ line: i + 1, lines: [] });
    isOpen = true;
    found.at(-1)?.lines.push(line.replace(LIST_ITEM, "").replace(/^\s*>?\s*/, ""));
  }
  return found
    .map(({ line, lines }) => ({ line, text: lines.join(" ") }))
    .filter(({ text }) => !LINK_LIST.test(text))
    .map(({ line, text }) => ({ line, text: text.replace(LINK, "$1").replaceAll("**", "") }));
}
