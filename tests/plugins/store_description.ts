import type { Held } from "./cng/double.ts";
import type { Kept } from "./keychain/double.ts";

/** What every description says. */
interface Common {
  /** The compiled double. */
  readonly library: string;
  readonly failure?: {
    readonly function: string;
    readonly code: number;
    readonly successes?: number;
  };
  /** The PIN of the smart card, or the password of the locked keychain. */
  readonly secret?: string;
}

/** A certificate in a file, in place of its bytes. */
type InFile<T> = Omit<T, "encoded"> & { readonly certificatePath: string };

/** What the JSON file that `store_program.ts` reads says. */
export type StoreDescription =
  | Common & { readonly platform: "windows"; readonly certificates: readonly InFile<Held>[] }
  | Common & { readonly platform: "darwin"; readonly certificates: readonly InFile<Kept>[] };
