import type { Platform } from "../../src/cli/world.ts";
import type { Held } from "./cng/double.ts";

/** What the JSON file that `store_program.ts` reads says. */
export interface StoreDescription {
  readonly platform: Platform;
  /** The compiled double. */
  readonly library: string;
  readonly held: readonly (Omit<Held, "encoded"> & { readonly certificatePath: string })[];
  readonly failure?: { readonly function: string; readonly code: number };
  readonly pin?: string;
}
