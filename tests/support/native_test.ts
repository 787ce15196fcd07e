import { assertEquals } from "@std/assert";

import { missing } from "./native.ts";

Deno.test("missing() names what is not there, and nothing when all is", () => {
  assertEquals(missing("sh", "/bin/sh"), undefined);
  assertEquals(missing("sh", "no-such-program"), "no-such-program is not installed");
  assertEquals(missing("/nowhere/x", "y-z"), "/nowhere/x, y-z is not installed");
});
