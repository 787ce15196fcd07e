/** A word that the style rule does not allow. */
export interface DialectWord {
  readonly word: string;
  /** Plain words for it. */
  readonly plain: string;
}

/** Patterns of the words, with the plain words for them. */
const WORDS = Object.entries({
  "stands?|standing|stood": "is",
  "beside": "next to, with",
  "tells?|told|telling": "report, show, distinguish",
  "alone": "only",
  "anew": "again",
  "whoever": "the user, the caller",
  "behind": "after",
  "gives?|gave|giving": "return, set, have",
  "(?<!\\bthere )(?:is|are) no(?! longer)": "is not, has no",
  "says?|said|saying": "report, name",
  "words": "message, text",
}).map(([pattern, plain]) => ({ pattern: new RegExp(`\\b(?:${pattern})\\b`, "gi"), plain }));

/** Finds the words in a text that the style rule does not allow. */
export function findDialect(text: string): DialectWord[] {
  return WORDS.flatMap(({ pattern, plain }) =>
    [...text.matchAll(pattern)].map(([word]) => ({ word, plain }))
  );
}
