import { type Layout, LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { compileModule, PROXY, SOFTHSM } from "../../support/pkcs11_modules.ts";

/** A way to reach SoftHSM's tokens. */
export interface Variant {
  readonly name: string;
  readonly module: string;
  readonly layout: Layout;
}

/** SoftHSM directly, through p11-kit's proxy, and in the layout of Windows. */
export const VARIANTS: readonly Variant[] = [
  { name: "SoftHSM", module: SOFTHSM, layout: LAYOUTS.natural },
  { name: "p11-kit's proxy", module: PROXY, layout: LAYOUTS.natural },
  { name: "Windows' layout", module: await compileModule("packed"), layout: LAYOUTS.windows },
];
