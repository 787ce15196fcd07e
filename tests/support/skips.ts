/**
 * Skips of a run: counted by reason, and checked against the needs that our CI has.
 *
 * @module
 */

/** A skipped test. */
export interface Skip {
  readonly name: string;
  /** Need that is missing; undefined if the test states none. */
  readonly need: string | undefined;
  readonly reason: string;
}

/** Reads the need and its reason from the name that `testWith()` made. */
export function readSkip(name: string): Skip {
  const [, test = name, need, reason = "no reason stated"] =
    /^(.*) \(not run: (?:([a-z0-9-]+(?::[^\s:]+)?): )?(.*)\)$/.exec(name) ?? [];
  return { name: test, need, reason };
}

/** Returns one line for each reason, the most frequent first. */
export function linesOf(skips: readonly Skip[]): string[] {
  const counts = new Map<string, number>();
  for (const { need, reason } of skips) {
    const line = need === undefined ? reason : `${need}: ${reason}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a)
    .map(([line, count]) => `skipped: ${count} ${count === 1 ? "test" : "tests"}: ${line}`);
}

/** Reads `tests/expected_needs`: one need per line, `program:*` for every program. */
export function readExpectedNeeds(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/** Returns the skips that our CI must not have: of an expected need, or without a need. */
export function unexpectedSkips(
  skips: readonly Skip[],
  expected: readonly string[],
): readonly Skip[] {
  return skips.filter(({ need }) =>
    need === undefined || expected.includes(need) || expected.includes(need.replace(/:.*/, ":*"))
  );
}
