import { assertEquals } from "@std/assert";

import { missingTools } from "./native.ts";

Deno.test("missingTools() names what is missing, and returns undefined if nothing is", () => {
  assertEquals(missingTools("sh", "/bin/sh"), undefined);
  assertEquals(missingTools("sh", "no-such-program"), "no-such-program is not installed");
  assertEquals(missingTools("/nowhere/x", "y-z"), "/nowhere/x, y-z is not installed");
});
