/**
 * The interface of a soak: `tests/soak/NAME_soak.ts` exports `soak: Soak`, and `make soak` runs it.
 *
 * @module
 */

/** How a soak is run. */
export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Prints a line of the report. */
  readonly say: (line: string) => void;
}

/** Runs for so long; returns what was wrong, a sentence each. */
export type Soak = (options: SoakOptions) => Promise<readonly string[]>;
