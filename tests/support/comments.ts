/** A comment of TypeScript code. */
export interface Comment {
  /** Number of its first line with text. */
  readonly line: number;
  /** True for a comment that begins with a slash and two asterisks. */
  readonly isDocumentation: boolean;
  /** Its paragraphs, without lists, tables, tags and blocks of code. */
  readonly paragraphs: readonly string[];
  /** The line of code after it. */
  readonly code: string;
}

const START = /^\s*(?:\/\*\*?|\/\/)(?:\s|$)/;
const CONTINUED = /^\s*(?:\/\/|\*)/;
const MARKS = /^\s*(?:\/\*\*?|\/\/|\*(?!\/))\s?|\s*\*\/\s*$/g;
/** Beginning of a list, a table, a tag, a heading, or text with a fixed layout. */
const NO_PROSE = /^(?:[-*|@#]|\d+\.|\s{3})/;

/** Returns the comments that begin a line. */
export function readComments(text: string): Comment[] {
  const lines = text.split("\n");
  const comments: Comment[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (!START.test(lines[i] ?? "")) continue;
    const first = i;
    const isBlock = /^\s*\/\*/.test(lines[i] ?? "");
    const ends = () =>
      isBlock ? /\*\/\s*$/.test(lines[i] ?? "") : !/^\s*\/\//.test(lines[i + 1] ?? "");
    while (!ends() && CONTINUED.test(lines[i + 1] ?? "")) i++;
    const content = lines.slice(first, i + 1).map((line) => line.replace(MARKS, ""));
    comments.push({
      line: first + 1 + Math.max(content.findIndex((line) => line !== ""), 0),
      isDocumentation: /^\s*\/\*\*/.test(lines[first] ?? ""),
      paragraphs: paragraphsOf(content),
      code: lines[i + 1]?.trim() ?? "",
    });
  }
  return comments;
}

function paragraphsOf(lines: readonly string[]): string[] {
  const paragraphs: string[][] = [[]];
  let isCode = false;
  let isProse = true;
  for (const line of lines) {
    const isFence = line.startsWith("```");
    if (isFence) isCode = !isCode;
    if (line.trim() === "" || isFence || NO_PROSE.test(line)) {
      paragraphs.push([]);
      isProse = line.trim() === "" || isFence;
    } else if (!isCode && isProse) paragraphs.at(-1)?.push(line);
  }
  return paragraphs.map((paragraph) => paragraph.join(" ")).filter((text) => text !== "");
}

/** Returns the largest number of words in a sentence; code and links are one word. */
export function longestSentence(paragraph: string): number {
  const sentences = paragraph.replace(/`[^`]*`|\{@\w+[^}]*\}|https?:\/\/\S+/g, "x")
    .split(/(?<=[.!?])["')]*\s+/);
  return Math.max(...sentences.map((sentence) => sentence.match(/\S*\w\S*/g)?.length ?? 0));
}
