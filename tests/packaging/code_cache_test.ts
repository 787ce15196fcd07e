import { assertEquals } from "@std/assert";

import { isCodeCacheFaster } from "../../packaging/code_cache.ts";

Deno.test("isCodeCacheFaster() returns true for versions before Deno 2.9", () => {
  const versions = ["1.46.3", "2.0.0", "2.7.12", "2.8.99", "2.9.0", "2.9.6", "2.10.0", "3.0.0"];
  assertEquals(versions.map(isCodeCacheFaster), [true, true, true, true, ...Array(4).fill(false)]);
});
