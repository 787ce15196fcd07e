/**
 * Changing a text in several places at once.
 *
 * @module
 */

/** A piece of the text and what comes in its place. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text with all edits made. Edits that begin at one place stay in the order given. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let done = 0;
  for (const { start, end, text: replacement } of edits.toSorted((a, b) => a.start - b.start)) {
    pieces.push(text.slice(done, start), replacement);
    done = Math.max(done, end);
  }
  return pieces.join("") + text.slice(done);
}
