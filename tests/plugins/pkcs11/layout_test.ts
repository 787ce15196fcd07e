import { assertEquals } from "@std/assert";
import { type Layout, LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { compilerSizes } from "../../support/pkcs11_modules.ts";

/** Returns the layout in the format of sizes.c, which prints the compiler's values. */
function numbersOf(layout: Layout) {
  const { ulong, functionList, initializeArguments, info, slotInfo, tokenInfo } = layout;
  const { attribute, mechanism } = layout;
  return {
    ulong: ulong.size,
    first: functionList.first,
    initializeArguments: [initializeArguments.size, initializeArguments.flags],
    info: [info.size, info.manufacturer, info.description, info.version],
    slotInfo: [slotInfo.size, slotInfo.description, slotInfo.manufacturer],
    tokenInfo: [
      tokenInfo.size,
      tokenInfo.label,
      tokenInfo.manufacturer,
      tokenInfo.model,
      tokenInfo.serial,
      tokenInfo.flags,
    ],
    attribute: [attribute.size, attribute.value, attribute.length],
    mechanism: [mechanism.size],
  };
}

Deno.test("LAYOUTS.natural has the compiler's sizes and offsets", async () => {
  assertEquals(numbersOf(LAYOUTS.natural), await compilerSizes([]));
});

Deno.test("LAYOUTS.windows has the sizes and offsets of 32-bit numbers, packed", async () => {
  assertEquals(numbersOf(LAYOUTS.windows), await compilerSizes(["-DPACKED"]));
});
