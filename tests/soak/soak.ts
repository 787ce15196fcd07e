/**
 * The interface of a soak: `tests/soak/NAME_soak.ts` exports `soak: Soak`, and `make soak` runs it.
 *
 * @module
 */

/** Options of a soak. */
export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Prints a line of the report. */
  readonly log: (line: string) => void;
}

/** Function that runs for the time; returns the faults, one sentence each. */
export type Soak = (options: SoakOptions) => Promise<readonly string[]>;
