/**
 * Edits of a text in several places at once.
 *
 * @module
 */

/** Range of the text and its replacement. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Returns the text with all edits applied. Edits with the same start keep their order. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let done = 0;
  for (const { start, end, text: replacement } of edits.toSorted((a, b) => a.start - b.start)) {
    pieces.push(text.slice(done, start), replacement);
    done = Math.max(done, end);
  }
  return pieces.join("") + text.slice(done);
}
