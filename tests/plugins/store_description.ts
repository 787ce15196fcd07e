import type { Held } from "./cng/double.ts";
import type { Kept } from "./keychain/double.ts";

/** Fields of every description. */
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

/** Certificate by its file instead of its bytes. */
type InFile<T> = Omit<T, "encoded"> & { readonly certificatePath: string };

/** JSON file of `store_program.ts`. */
export type StoreDescription =
  | Common & { readonly platform: "windows"; readonly certificates: readonly InFile<Held>[] }
  | Common & { readonly platform: "darwin"; readonly certificates: readonly InFile<Kept>[] };
