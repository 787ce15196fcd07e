import { assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";

import { type CommandName, commandOf, COMMANDS } from "../../src/cli/flags/flags.ts";
import { helpText } from "../../src/cli/flags/help.ts";

const names = Object.keys(COMMANDS) as CommandName[];

Deno.test("helpText() names every command and its summary", () => {
  const text = helpText();
  for (const name of names) {
    assertStringIncludes(text, `  ${name} `);
    assertStringIncludes(text.replaceAll(/\s+/g, " "), commandOf(name).summary);
  }
  assertStringIncludes(text, "AWS_SIGNING_HELPER_ROLE_ARN");
});

for (const name of names) {
  Deno.test(`helpText() lists every flag of ${name}, once, and no other's`, () => {
    const listed = [...helpText(name).matchAll(/^ {2}--([a-z0-9-]+)/gm)].map(([, flag]) => flag);
    assertEquals(listed, [...commandOf(name).flags]);
  });

  Deno.test(`helpText() keeps ${name} within 100 columns and without blanks at line ends`, () => {
    for (const line of helpText(name).split("\n")) {
      assertLessOrEqual(line.length, 100);
      assertEquals(line.trimEnd(), line);
    }
  });
}
